"""Faults of the oracle: a share of the reporters lies, sticks or falls silent.

Where they overlap, a silent reporter is silent whatever else it does, a stuck one
repeats what it said whatever it is told to say, and biases of manipulations add up.
"""

from dataclasses import replace

import jax.numpy as jnp

from rollup.faults.contract import Conditions, Fault, Strikes

_READS = ("severity", "markets")


def _lies(conditions: Conditions, strikes: Strikes) -> Conditions:
    hit = strikes.reporters(*conditions.bias_ppm.shape)
    bias = jnp.sum(jnp.where(hit, strikes.bias_ppm[:, None, None], 0), axis=0)
    return replace(conditions, bias_ppm=conditions.bias_ppm + bias)


def _sticks(conditions: Conditions, strikes: Strikes) -> Conditions:
    hit = jnp.any(strikes.reporters(*conditions.stuck.shape), axis=0)
    return replace(conditions, stuck=conditions.stuck | hit)


def _falls_silent(conditions: Conditions, strikes: Strikes) -> Conditions:
    hit = jnp.any(strikes.reporters(*conditions.silent.shape), axis=0)
    return replace(conditions, silent=conditions.silent | hit)


ORACLE_MANIPULATION = Fault(
    "oracle_manipulation",
    "a share of the reporters moves what it reports",
    _lies,
    reads=(*_READS, "bias"),
    needs=(("bias",),),
)
ORACLE_STUCK = Fault(
    "oracle_stuck",
    "a share of the reporters repeats what it said last",
    _sticks,
    _READS,
)
ORACLE_SILENCE = Fault(
    "oracle_silence", "a share of the reporters says nothing", _falls_silent, _READS
)
