"""Whole blocks of the Hyperliquid preset: mark, margin at the mark, hourly funding."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market import block as exchange_block
from market.twin.upkeep import Given, open_hyperliquid
from market.twin.upkeep import step as twin_step
from market.types.environment import Environment
from market.types.specs import Funding
from tests.market.forms import exchange_cases as cases
from tests.market.venues import rule_cases

BLOCK_US, REPORTERS = 5_000_000, 3


def venue():
    """The staged venue with short funding intervals and a thin impact notional."""
    spec, params = rule_cases.staged()
    clock = {"funding": Funding.HOURLY, "votes_per_sample": 2, "samples_per_funding": 3}
    spec = replace(spec, **clock)
    numbers = {
        "impact_notional": jnp.asarray([50_000_000, 500_000_000]),
        "premium_clamp_ppm": jnp.asarray(10**14),
    }
    return spec, replace(params, **numbers)


@cache
def compiled(auction, lowering=None):
    spec, _ = venue()

    def run(state, txs, reports, block, height, is_halted, word, params):
        return exchange_block.step(
            state,
            txs,
            Environment(
                reports=reports,
                block=block,
                block_us=BLOCK_US,
                height=height,
                is_halted=is_halted,
                seed_word=word,
            ),
            params,
            spec=spec,
            auction=auction,
        )

    return jax.jit(run)


def random_reports(rng, prices):
    """Reports around the price; some reporters are silent."""
    rows = []
    for price in prices:
        noise = rng.integers(-price // 500 - 1, price // 500 + 2, REPORTERS)
        heard = rng.random(REPORTERS) < 0.8
        rows.append(np.where(heard, np.maximum(price + noise, 1), 0).tolist())
    return rows


def run_history(seed, auction, blocks=9):
    """Random blocks, some of them halted, each compared as a whole."""
    spec, params = venue()
    rng = np.random.default_rng(seed)
    start, _ = rule_cases.inputs(seed, spec, params, 1)
    state, lane = rule_cases.opened(seed, spec, params, start)
    twin, prices, height = open_hyperliquid(lane, BLOCK_US), start[2], 0
    for block in range(1, blocks + 1):
        prices = rule_cases.moved(rng, prices)
        is_halted, reports = rng.random() < 0.1, random_reports(rng, prices)
        height += not is_halted
        rows = cases.random_rows(rng, prices, height, start[0])
        txs = cases.columns([] if is_halted else rows)
        word = int(rng.integers(1 << 62))
        scalars = (block, height, is_halted, word)
        block_, height_, halted_, word_ = map(jnp.asarray, scalars)
        state, receipt, info = compiled(auction)(
            state, txs, jnp.asarray(reports), block_, height_, halted_, word_, params
        )
        given = Given(block, height, reports, word, is_halted, auction)
        fills = twin_step(twin, cases.rows_of(txs), given)
        cases.assert_same(state, receipt, info, lane, fills)
        assert state.oracle.tolist() == twin.index
        assert state.mark.tolist() == lane.price
        assert int(state.residue) == twin.residue
        yield state, info, twin


@pytest.mark.parametrize("auction", [False, True], ids=["continuous", "auction"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_block_equals_the_specification(auction, seed):
    for _ in run_history(seed, auction):
        pass


def test_random_blocks_see_marks_off_the_oracle_and_funding_both_ways():
    seen = {"off": 0, "paid": 0, "halted": 0, "cooling": 0, "above": 0, "below": 0}
    for seed in range(6):
        for state, info, twin in run_history(seed, False):
            seen["off"] += int((state.mark != state.oracle).sum())
            seen["paid"] += int(info.funding_paid > 0)
            seen["cooling"] += int((state.cooldown_us > 0).sum())
            seen["above"] += int((state.premium_sum > 0).sum())
            seen["below"] += int((state.premium_sum < 0).sum())
            seen["halted"] += int(twin.lane.previous_mark == twin.lane.price)
    assert min(seen.values()) > 0, seen
