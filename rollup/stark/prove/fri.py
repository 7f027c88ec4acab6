"""FRI by folds of eight: shows that a word is close to a polynomial of low degree.

A layer of size S holds evaluations at shift * w_S^i; a leaf of its tree holds the
eight values at one point times the eighth roots of unity, which fold to one value of
the next layer. The last polynomial is sent by its coefficients.

Source: Ben-Sasson, Bentov, Horesh, Riabzev, "Fast Reed-Solomon IOP of proximity".
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from rollup.stark.fields.field import KOALABEAR
from rollup.stark.fields.materialise import computed_once
from rollup.stark.fields.ntt import powers as plain_powers
from rollup.stark.fields.ntt import powers_m
from rollup.stark.prove.commitment import Tree
from rollup.stark.prove.parallel import over_blocks
from rollup.stark.rules.arithmetic import Ext, P, powers, root_of_unity
from rollup.stark.rules.parameters import FOLD, SHIFT, StarkParameters
from rollup.stark.verify.transcript import Transcript

LANES = 2048


def _inverse_dft() -> np.ndarray:
    """Rows i, columns k: omega^(-ik) / 8 in Montgomery form."""
    omega = pow(root_of_unity(FOLD), -1, P)
    scale = pow(FOLD, -1, P)
    rows = [
        [scale * pow(omega, i * k % FOLD, P) % P for k in range(FOLD)]
        for i in range(FOLD)
    ]
    return KOALABEAR.constants_m(rows)


@jax.jit
def _fold_block(values, inverse_points_m, challenges_m, matrix_m):
    """Folds [8, 4, B] at points x: sum over i of (challenge / x)^i times part i."""
    field = KOALABEAR

    def one_part(carry, this):
        total, power = carry
        row, challenge = this
        terms = field.mul(values, row[:, None, None]).astype(jnp.uint64)
        part = computed_once(field.fold(terms.sum(axis=0), 34))
        scaled = computed_once(field.mul(part, power[None]))
        total = field.add(total, field.ext_mul(scaled, challenge))
        return (total, field.mul(power, inverse_points_m)), None

    lanes = values.shape[2]
    start = (
        jnp.zeros((4, lanes), jnp.uint32),
        jnp.full(lanes, field.r, jnp.uint32),
    )
    return lax.scan(one_part, start, (matrix_m, challenges_m))[0][0]


def fold(values: np.ndarray, shift: int, challenge: Ext) -> np.ndarray:
    """Folds a layer uint32 [4, S] to [4, S / 8]."""
    size = values.shape[1]
    stride = size // FOLD
    leaves = values.reshape(4, FOLD, stride).transpose(1, 0, 2)
    omega = pow(root_of_unity(size), -1, P)
    inverse_points = powers_m(KOALABEAR, omega, stride, pow(shift, -1, P))
    weights = KOALABEAR.constants_m([w.c for w in powers(challenge, FOLD)])
    lanes, matrix = LANES, _inverse_dft()
    padding = -stride % lanes
    leaves = np.pad(leaves, ((0, 0), (0, 0), (0, padding)))
    inverse_points = np.pad(inverse_points, (0, padding))
    out = np.empty((4, stride + padding), np.uint32)

    def one(start: int) -> None:
        span = slice(start, start + lanes)
        out[:, span] = _fold_block(
            leaves[:, :, span], inverse_points[span], weights[:, :, None], matrix
        )

    over_blocks(one, range(0, stride, lanes))
    return out[:, :stride]


def final_coefficients(values: np.ndarray, shift: int) -> list[Ext]:
    """Coefficients of the polynomial that a last layer [4, S] holds.

    S is at most a few hundred: the transform is done by its matrix.
    """
    size, p = values.shape[1], np.uint64(P)
    inverse_root = pow(root_of_unity(size), -1, P)
    table = plain_powers(KOALABEAR, inverse_root, size)
    exponents = np.outer(np.arange(size), np.arange(size)) % size
    terms = table[exponents][None] * values[:, None].astype(np.uint64) % p
    scale = plain_powers(KOALABEAR, pow(shift, -1, P), size)
    scale = scale * np.uint64(pow(size, -1, P)) % p
    coefficients = terms.sum(axis=2) % p * scale[None] % p
    return [Ext(tuple(int(v) for v in row)) for row in coefficients.T]


class FriProver:
    """Commits to the layers and answers queries.

    Attributes:
        roots: commitments, one a layer.
        final: coefficients of the last polynomial, as many as its degree allows; the
            rest are zero exactly when the word is of low degree.
    """

    def __init__(
        self, values: np.ndarray, parameters: StarkParameters, transcript: Transcript
    ):
        self.roots: list[bytes] = []
        self._layers: list[tuple[np.ndarray, Tree]] = []
        shift = SHIFT
        for size in parameters.fri_sizes:
            # word 4 k + j of a leaf is coordinate j of its k-th value
            leaves = values.reshape(4, FOLD, size // FOLD).transpose(1, 0, 2)
            words = np.ascontiguousarray(leaves).reshape(4 * FOLD, -1)
            tree = Tree(words)
            self._layers.append((words, tree))
            self.roots.append(tree.root)
            transcript.absorb(tree.root)
            values = fold(values, shift, transcript.extension())
            shift = pow(shift, FOLD, P)
        every = final_coefficients(values, shift)
        self.final = every[: parameters.final_coefficients]
        self.low_degree = not any(any(c.c) for c in every[len(self.final) :])

    def open(self, index: int) -> list[tuple[tuple[int, ...], list[bytes]]]:
        """Leaf words and path of every layer for one query."""
        out = []
        for words, tree in self._layers:
            index %= words.shape[1]
            leaf = tuple(int(w) for w in words[:, index])
            out.append((leaf, tree.path(index)))
        return out
