"""Sums of base-field rows times extension weights, without a reduction per term.

A weight's four coordinates are split into 16-bit halves: a residue times a half stays
below 2^47, so 2^16 terms add up in 64 bits before one reduction.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax

from rollup.stark.fields.field import KOALABEAR
from rollup.stark.rules.arithmetic import Ext

HALF = np.uint64(0xFFFF)
CHUNK = 16


def split_weights(weights: list[Ext] | np.ndarray) -> np.ndarray:
    """Halves uint32 [T, 8] of T weights: four low halves, then four high ones."""
    if not isinstance(weights, np.ndarray):
        weights = np.array([w.c for w in weights], np.uint64).reshape(-1, 4)
    halves = np.concatenate([weights & HALF, weights >> np.uint64(16)], axis=1)
    return halves.astype(np.uint32)


def accumulate(total, rows, halves):
    """Returns total [8, B] + sum over K rows [K, B] times halves [K, 8]; unrolled."""
    for k in range(rows.shape[0]):
        weight = halves[k].astype(jnp.uint64)[:, None]
        total = total + weight * rows[k].astype(jnp.uint64)[None, :]
    return total


def accumulate_chunked(total, rows, halves):
    """As ``accumulate`` for many rows, sixteen at a time in a compiled loop."""
    count, lanes = rows.shape
    missing = -count % CHUNK
    if missing:
        rows = jnp.pad(rows, ((0, missing), (0, 0)))
        halves = jnp.pad(halves, ((0, missing), (0, 0)))
    parts = (rows.reshape(-1, CHUNK, lanes), halves.reshape(-1, CHUNK, 8))

    def body(carry, part):
        return accumulate(carry, *part), None

    return lax.scan(body, total, parts)[0]


def finish(total):
    """Residues uint32 [4, B] of split sums [8, B]."""
    field = KOALABEAR
    low = field.mod(total[:4]).astype(jnp.uint64)
    high = field.mod(total[4:]).astype(jnp.uint64)
    return field.mod(low + (high << np.uint64(16)))
