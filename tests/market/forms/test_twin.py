"""The lowerings of the exchange block equal the plain-Python specification."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.types.specs import SelfTrade
from tests.market.forms import exchange_cases as cases


def run_history(seed, kind, auction, lowering, blocks=6):
    """Random blocks with moving prices, each compared as a whole."""
    rng = np.random.default_rng(seed)
    spec, params = cases.venue(kind)
    collateral, insurance, oracle = cases.random_start(rng)
    state, twin = cases.start(spec, params, collateral, insurance, oracle)
    run = cases.compiled(kind, auction, lowering)
    for block in range(1, blocks + 1):
        oracle = cases.moved(rng, oracle)
        halted = (rng.random(2) < 0.03).astype(np.int64)
        limit = int(rng.choice([0, 2, 3]))
        params = replace(
            params, halted=jnp.asarray(halted), max_open_orders=jnp.asarray(limit)
        )
        twin.params = cases.plain(params)
        state, twin.price = replace(state, oracle=jnp.asarray(oracle)), oracle
        rows = cases.random_rows(rng, oracle, block, collateral)
        word = int(rng.integers(1 << 62))
        txs = cases.columns(rows)
        state, receipt, info = run(
            state, txs, jnp.asarray(block), jnp.asarray(word), params
        )
        fills = cases.run_twin(twin, txs, block, word, auction)
        cases.assert_same(state, receipt, info, twin, fills)
    return twin


@pytest.mark.parametrize("self_trade", list(SelfTrade), ids=lambda m: m.name)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_native_continuous_block_equals_the_specification(self_trade, seed):
    run_history(seed, cases.Venue(self_trade=self_trade), False, "native")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_native_auction_block_equals_the_specification(seed):
    run_history(seed, cases.Venue(), True, "native")


MODES = pytest.mark.parametrize("auction", [False, True], ids=["continuous", "auction"])
OTHERS = pytest.mark.parametrize("preset", cases.PRESETS[1:])


@OTHERS
@MODES
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_native_block_of_other_presets_equals_the_specification(preset, auction, seed):
    run_history(seed, cases.Venue(preset), auction, "native")


LANES = 8


def lane_of_blocks(seed, kind, blocks):
    """The inputs of one lane: the state at the start, then rows of each block."""
    rng = np.random.default_rng(seed)
    spec, params = cases.venue(kind)
    collateral, insurance, oracle = cases.random_start(rng)
    state, _ = cases.start(spec, params, collateral, insurance, oracle)
    inputs = []
    for block in range(1, blocks + 1):
        oracle = cases.moved(rng, oracle)
        rows = cases.random_rows(rng, oracle, block, collateral)
        word = jnp.asarray(int(rng.integers(1 << 62)))
        inputs.append((jnp.asarray(oracle), cases.columns(rows), word))
    return state, inputs


def assert_lowerings_equal(seeds, kind, auction, blocks=5):
    """Both lowerings, on the same lanes side by side, block after block."""
    lanes = [lane_of_blocks(s, kind, blocks) for s in seeds]
    _, params = cases.venue(kind)
    stack = lambda *arrays: jnp.stack(arrays)  # noqa: E731
    states = [jax.tree.map(stack, *(lane[0] for lane in lanes))] * 2
    for block in range(blocks):
        oracle, txs, word = jax.tree.map(stack, *(lane[1][block] for lane in lanes))
        results = []
        for lowering, state in zip(("native", "array"), states, strict=True):
            run = batched(kind, auction, lowering)
            state = replace(state, oracle=oracle)
            results.append(run(state, txs, jnp.asarray(block + 1), word, params))
        jax.tree.map(np.testing.assert_array_equal, *results)
        states = [state for state, *_ in results]


@cache
def batched(kind, auction, lowering):
    run = cases.compiled(kind, auction, lowering)
    return jax.jit(jax.vmap(run, in_axes=(0, 0, None, 0, None)))


@pytest.mark.parametrize("preset", cases.PRESETS)
@MODES
def test_array_lowering_equals_the_native_one(auction, preset):
    for first in range(0, 24, LANES):
        seeds = range(first, first + LANES)
        assert_lowerings_equal(seeds, cases.Venue(preset), auction)


@pytest.mark.slow
@pytest.mark.parametrize("self_trade", [SelfTrade.CANCEL_NEWEST, SelfTrade.DECREMENT])
def test_array_lowering_equals_the_native_one_in_other_modes(self_trade):
    kind = cases.Venue(self_trade=self_trade)
    for first in range(100, 124, LANES):
        assert_lowerings_equal(range(first, first + LANES), kind, False)
