"""Faults of the sequencer: it stands, or it passes transactions over."""

from dataclasses import replace

import jax.numpy as jnp

from market.numbers.units import PPM
from rollup.faults.contract import Censor, Conditions, Fault, Strikes


def _stands(conditions: Conditions, strikes: Strikes) -> Conditions:
    stopped = strikes.worst_ppm()
    return replace(
        conditions,
        halted=conditions.halted | (stopped >= PPM),
        room_ppm=jnp.minimum(conditions.room_ppm, PPM - stopped),
    )


def _passes_over(conditions: Conditions, strikes: Strikes) -> Conditions:
    before, struck = conditions.censor, strikes.struck
    censor = Censor(
        targets=jnp.where(struck, strikes.targets, before.targets),
        transactions=jnp.where(struck, strikes.transactions, before.transactions),
        share_ppm=jnp.where(struck, strikes.severity_ppm, before.share_ppm),
    )
    return replace(conditions, censor=censor)


SEQUENCER_HALT = Fault(
    "sequencer_halt",
    "blocks carry fewer transactions; with severity 1 there is no block at all",
    _stands,
)
CENSORSHIP = Fault(
    "censorship",
    "transactions of chosen groups or kinds are passed over and wait",
    _passes_over,
    reads=("severity", "targets", "transactions"),
    needs=(("targets", "transactions"),),
)
