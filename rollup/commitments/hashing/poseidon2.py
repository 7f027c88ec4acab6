"""Poseidon2 over many states at once.

State: ``[width, N]`` rows of lanes. The rounds are scans and the linear layers act on
whole rows, which keeps compilation under a second; sums stay unreduced in 64 bits and
each layer ends in one reduction. Works in Montgomery form inside.

Source: eprint 2023/323; see ``poseidon2_reference.py`` for the readable form.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, UInt32

from rollup.commitments.hashing.poseidon2_constants import (
    Poseidon2Instance,
    koalabear16,
)
from rollup.stark.fields.field import Field
from rollup.stark.fields.materialise import computed_once

DIGEST = 8
#: States that pass through the rounds together on a CPU: what stays in its cache.
CPU_LANES = 2048


@cache
def field_of(instance: Poseidon2Instance) -> Field:
    """Arithmetic modulo the instance's prime (no roots or extension needed)."""
    return Field(instance.p, 0, 0, 0)


def external_layer(x: UInt32[Array, "w N"], instance: Poseidon2Instance):
    """The matrix of the full rounds; any residues, canonical or Montgomery.

    M4 is linear, so the column sums are added before it instead of after.
    """
    field = field_of(instance)
    blocks = x.reshape(-1, 4, x.shape[1])
    total = field.fold(blocks.astype(jnp.uint64).sum(axis=0), 34)
    summed = computed_once(field.add(blocks, computed_once(total)[None]))
    wide = summed.astype(jnp.uint64)
    mixed = [_small_combination(wide, row) for row in instance.block]
    return field.fold(jnp.stack(mixed, axis=1), 36).reshape(x.shape)


def _small_combination(blocks, row: tuple[int, ...]):
    """Sum of lanes times small numbers, by shifts and additions."""
    total = 0
    for j, c in enumerate(row):
        for bit in range(c.bit_length()):
            if c >> bit & 1:
                term = blocks[:, j]
                total = (term << np.uint64(bit) if bit else term) + total
    return total


def _diagonal_m(instance: Poseidon2Instance) -> np.ndarray:
    return field_of(instance).constants_m(instance.diagonal)[:, None]


def internal_layer(
    first: UInt32[Array, "1 N"], rest: UInt32[Array, "v N"], instance: Poseidon2Instance
):
    """The matrix of the partial rounds, diagonal plus all ones, lane 0 apart."""
    field = field_of(instance)
    wide = rest.astype(jnp.uint64)
    total = wide.sum(axis=0, keepdims=True) + first.astype(jnp.uint64)
    total = computed_once(field.fold(total, 36)).astype(jnp.uint64) * np.uint64(field.r)
    diagonal = jnp.asarray(_diagonal_m(instance)).astype(jnp.uint64)
    rest = field.reduce(wide * diagonal[1:] + total)
    return field.reduce(first.astype(jnp.uint64) * diagonal[0] + total), rest


def sbox_m(x_m: UInt32[Array, "..."], instance: Poseidon2Instance):
    """The cube in Montgomery form."""
    field = field_of(instance)
    return field.mul(field.mul(x_m, x_m), x_m)


def round_constants_m(instance: Poseidon2Instance):
    """External [full, w, 1] and internal [partial] constants, Montgomery form."""
    field = field_of(instance)
    external = field.constants_m(instance.external)[:, :, None]
    return jnp.asarray(external), jnp.asarray(field.constants_m(instance.internal))


def traced_rounds(state: UInt32[Array, "w N"], instance: Poseidon2Instance):
    """The permutation, keeping the S-box outputs that its circuit commits to.

    Args:
        state: canonical.
        instance: which permutation.

    Returns:
        Canonical output, and in Montgomery form the S-box outputs of the first four
        full rounds [4, w, N], of the partial rounds [R_P, N] and of the last four.
    """
    field = field_of(instance)
    external, internal = round_constants_m(instance)

    def full_round(x, constants):
        boxed = computed_once(sbox_m(field.add(x, constants), instance))
        return computed_once(external_layer(boxed, instance)), boxed

    def partial_round(x, constant):
        first, rest = x
        boxed = computed_once(sbox_m(field.add(first, constant), instance))
        return internal_layer(boxed, rest, instance), boxed[0]

    r_squared = np.uint32(field.to_mont(field.r))
    x = external_layer(computed_once(field.mul(state, r_squared)), instance)
    half = instance.full_rounds // 2
    x, first = lax.scan(full_round, computed_once(x), external[:half])
    x, middle = lax.scan(partial_round, (x[:1], x[1:]), internal)
    x = jnp.concatenate(x)
    x, last = lax.scan(full_round, x, external[half:])
    return field.mul(x, np.uint32(1)), first, middle, last


@partial(jax.jit, static_argnames=("instance", "lanes"))
def permute(
    states: UInt32[Array, "w N"],
    instance: Poseidon2Instance | None = None,
    lanes: int = CPU_LANES,
) -> UInt32[Array, "w N"]:
    """Permutes N states of canonical residues, ``lanes`` at a time."""
    instance = instance or koalabear16()
    width, count = states.shape
    if count <= lanes:
        return traced_rounds(states, instance)[0]
    blocks = -(-count // lanes)
    padded = jnp.pad(states, ((0, 0), (0, blocks * lanes - count)))
    split = padded.reshape(width, blocks, lanes).transpose(1, 0, 2)
    out = lax.map(lambda x: traced_rounds(x, instance)[0], split)
    return out.transpose(1, 0, 2).reshape(width, -1)[:, :count]


@jax.jit
def compress(pairs: UInt32[Array, "16 N"]) -> UInt32[Array, "8 N"]:
    """N pairs of 8-element digests to N digests: first half of P(x) + x."""
    instance = koalabear16()
    out = permute(pairs, instance)[:DIGEST]
    return field_of(instance).add(out, pairs[:DIGEST])
