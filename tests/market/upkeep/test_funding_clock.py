"""Funding's clock: what comes due in a halt is paid after it, in every lane alike."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from market.numbers.units import PPM, as_int
from market.twin import rules as twin
from market.types.state import open_exchange
from market.upkeep.funding_clock import keep_funding_clock, vote_premium
from market.upkeep.lanes import in_any_lane
from market.venues.dydx_v4.preset import dydx_v4

#: Blocks of a second; a sample of 15 votes, a payment of 4 samples: every minute.
SAMPLE, SAMPLES, BLOCKS = 15, 4, 300
MINUTE = SAMPLE * SAMPLES
TICKS, LOTS = 1_000_000, 40
#: 0.8 % for eight hours is 0.1 % for the hour that a payment is.
DEFAULT_PPM = 8_000
SPEC, PARAMS = dydx_v4(("BTC",), accounts=2, book_capacity=4)
SPEC = replace(SPEC, votes_per_sample=SAMPLE, samples_per_funding=SAMPLES)
PARAMS = replace(
    PARAMS,
    funding_default_rate_ppm=as_int([DEFAULT_PPM]),
    initial_margin_ppm=as_int([200_000]),
)
NOTIONAL = LOTS * TICKS * SPEC.multipliers[0]


def opened(bid=0):
    """One account long, one short; a bid so far above the index, if any."""
    zero = as_int([0, 0])
    state = open_exchange(SPEC, zero, as_int(0), as_int([TICKS]))
    state = replace(state, position=as_int([[LOTS], [-LOTS]]))
    if bid == 0:
        return state
    book = state.book
    book = replace(
        book,
        ticks=book.ticks.at[0, 0, 0].set(TICKS + bid),
        lots=book.lots.at[0, 0, 0].set(1 << 30),
        count=book.count.at[0, 0].set(1),
    )
    return replace(state, book=book)


@cache
def compiled():
    """[R] exchanges and halts [R, T] -> what account 0 paid in each block [R, T]."""

    def one(state, halts):
        def block(state, given):
            number, is_halted = given
            before = state.collateral[0]
            state = vote_premium(state, PARAMS, SPEC, is_halted)
            state, paid = keep_funding_clock(state, number, is_halted, PARAMS, SPEC)
            return state, (before - state.collateral[0], paid)

        state, (out, paid) = jax.lax.scan(block, state, (jnp.arange(BLOCKS), halts))
        return out, paid, state.collateral.sum() + state.residue

    return jax.jit(jax.vmap(one))


def payments(halts, bids) -> list[dict[int, int]]:
    """By block what the long paid, where it paid, of each run."""
    states = [opened(bid) for bid in bids]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    out, paid, money = compiled()(stacked, jnp.asarray(halts))
    assert not np.asarray(money).any(), "what is paid is received, or residue"
    assert ((np.asarray(out) != 0) <= (np.asarray(paid) > 0)).all()
    return [{int(t): int(row[t]) for t in np.nonzero(row)[0]} for row in np.array(out)]


def specified(halts, bid) -> dict[int, int]:
    """The same by the rule, written out: epochs that are over end one a block."""
    vote = twin.premium_vote(
        TICKS,
        [(TICKS + bid, 1 << 30)] if bid else [],
        [],
        int(PARAMS.impact_notional[0]),
        SPEC.multipliers[0],
        PPM**2,
        1 << 20,
    )
    votes, samples, samples_due, payments_due, paid = [], [], 0, 0, {}
    for block, is_halted in enumerate(halts):
        samples_due += (block + 1) % SAMPLE == 0
        payments_due += (block + 1) % MINUTE == 0
        if is_halted:
            continue
        votes.append(vote)
        if samples_due:
            samples_due -= 1
            samples.append(twin.sample(votes, len(votes), 15))
            votes = []
        if payments_due:
            payments_due -= 1
            premium = sum(samples) // max(len(samples), SAMPLES)
            move = (premium + DEFAULT_PPM) * TICKS * SPEC.multipliers[0] // 8
            paid[block], samples = -twin.funding_payment([move], [LOTS]), []
    return paid


def halted(*windows) -> list[bool]:
    """Blocks that are not made: from each first one on, so many."""
    return [any(a <= t < a + n for a, n in windows) for t in range(BLOCKS)]


@pytest.mark.parametrize(
    ("window", "blocks"),
    [
        ((), (59, 119)),
        ((60, 60), (59, 120)),  # right after the payment
        ((30, 60), (90, 119)),  # over it
        ((59, 1), (60, 119)),  # just its block
        ((50, 130), (180, 181)),  # over two: one in each of the next blocks
    ],
)
def test_a_payment_that_falls_in_a_halt_is_made_by_the_first_block_after(
    window, blocks
):
    halts = halted(window) if window else halted()
    (made,) = payments([halts], [0])
    assert tuple(made)[:2] == blocks
    assert made[blocks[0]] == made[blocks[1]] == NOTIONAL // 1_000, "0.1 %"
    assert len(made) == BLOCKS // MINUTE, "and none is lost"


def test_the_premiums_sampled_before_a_halt_count_in_the_payment_after_it():
    usual, late = payments([halted(), halted((58, 40))], [5_000, 5_000])
    # The last of the four samples has 14 votes of 15; the median is the same.
    assert late[98] == usual[59] > NOTIONAL // 1_000


def test_lanes_with_other_halts_equal_the_rule_and_do_not_disturb_each_other():
    rng = np.random.default_rng(5)
    halts, bids = [], []
    for _ in range(24):
        starts = rng.integers(0, BLOCKS - 80, 3)
        lengths = rng.choice([1, 7, 40, 130], 3)
        halts.append(halted(*zip(starts.tolist(), lengths.tolist(), strict=True)))
        bids.append(int(rng.choice([0, 300, 9_000])))
    together = payments(halts, bids)
    for row, (pattern, bid) in enumerate(zip(halts, bids, strict=True)):
        assert together[row] == specified(pattern, bid), row


def test_rare_work_of_one_lane_keeps_one_branch_for_all():
    def work(x, on):
        return jax.lax.cond(in_any_lane(on), lambda v: v + on, lambda v: v, x)

    numbers, on = (
        jnp.zeros((2, 3), jnp.int64),
        jnp.arange(6).reshape(2, 3) == 5,
    )
    lanes = jax.vmap(jax.vmap(work))
    assert lanes(numbers, on).tolist() == [[0, 0, 0], [0, 0, 1]]
    kinds = {eqn.primitive.name for eqn in jax.make_jaxpr(lanes)(numbers, on).eqns}
    assert "cond" in kinds, "a select would run the work in every block"
