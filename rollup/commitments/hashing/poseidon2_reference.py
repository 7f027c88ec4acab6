"""Poseidon2 in plain Python: the readable twin of ``poseidon2.py``.

The published vector of the instance passes through this file; the batched version and
the arithmetic circuit of the prover are compared with it.

Source: eprint 2023/323, sections 5 and 6; compression mode: section 7 (truncated
permutation with feed-forward).
"""

from collections.abc import Sequence

from rollup.commitments.hashing.poseidon2_constants import (
    Poseidon2Instance,
    koalabear16,
)

DIGEST = 8


def external_matrix(x: Sequence[int], block) -> list[int]:
    """M4 on each block of four lanes, then every lane adds its column's sum."""
    mixed = []
    for b in range(0, len(x), 4):
        lanes = x[b : b + 4]
        mixed += [sum(row[k] * lanes[k] for k in range(4)) for row in block]
    sums = [sum(mixed[j::4]) for j in range(4)]
    return [v + sums[i % 4] for i, v in enumerate(mixed)]


def permute(state: Sequence[int], instance: Poseidon2Instance) -> list[int]:
    """Applies the permutation to ``width`` integers; the result is canonical."""
    p, alpha, half = instance.p, instance.alpha, instance.full_rounds // 2

    def full_round(x, constants):
        boxed = [pow(v + c, alpha, p) for v, c in zip(x, constants, strict=True)]
        return [v % p for v in external_matrix(boxed, instance.block)]

    x = [v % p for v in external_matrix([v % p for v in state], instance.block)]
    for constants in instance.external[:half]:
        x = full_round(x, constants)
    for constant in instance.internal:
        x[0] = pow(x[0] + constant, alpha, p)
        total = sum(x)
        x = [(d * v + total) % p for d, v in zip(instance.diagonal, x, strict=True)]
    for constants in instance.external[half:]:
        x = full_round(x, constants)
    return x


def compress(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """Two 8-element digests to one: first half of ``P(x) + x``.

    The feed-forward makes the map one-way: without it anyone could run the
    permutation backwards from a digest.
    """
    instance = koalabear16()
    x = [*left, *right]
    out = permute(x, instance)
    return [(out[i] + x[i]) % instance.p for i in range(DIGEST)]
