"""After five minutes without a block dYdX v4 holds withdrawals back for fifty."""

from dataclasses import replace
from functools import partial

import jax

from market import block
from market.types.limits import GATE_BLOCKS
from market.types.orders import Status
from market.types.specs import Gate
from tests.market.upkeep.test_stops import SPEC, WITHDRAW, Venue

OUTAGE = 300


def test_withdrawals_wait_for_fifty_blocks_after_an_outage_of_five_minutes():
    venue = Venue().wait(2)
    # The blocks before and after it are 300 seconds apart.
    venue.wait(OUTAGE - 1, halted=True)
    for _ in range(GATE_BLOCKS):
        assert venue.step(WITHDRAW) == [Status.WITHDRAWALS_GATED]
    assert venue.step(WITHDRAW) == [Status.ACCEPTED]


def test_a_shorter_halt_or_two_of_them_are_no_outage():
    venue = Venue().wait(2).wait(OUTAGE - 2, halted=True)
    assert venue.step(WITHDRAW) == [Status.ACCEPTED]
    venue.wait(OUTAGE - 2, halted=True)
    assert venue.step(WITHDRAW) == [Status.ACCEPTED]


def test_an_outage_closes_every_pool_and_never_opens_one_early():
    venue = Venue().wait(2).wait(OUTAGE, halted=True)
    late = venue.state.gate_block.at[0].set(10_000)
    venue.state = replace(venue.state, gate_block=late)
    venue.step()
    # The height of a block of this venue is one more than its second.
    until = OUTAGE + 2 + 1 + GATE_BLOCKS - 1
    assert venue.state.gate_block.tolist() == [10_000, until, until]


def test_a_venue_without_the_gate_has_none_after_an_outage():
    open_spec = replace(SPEC, gate=Gate.NONE)
    step = jax.jit(partial(block.step, spec=open_spec, auction=False))
    venue = Venue(step=step).wait(2).wait(OUTAGE, halted=True)
    assert venue.step(WITHDRAW) == [Status.ACCEPTED]
