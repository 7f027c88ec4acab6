"""The lowerings of the exchange block equal the plain-Python specification."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.specs import SelfTrade
from tests.market import exchange_cases as cases


def run_history(seed, self_trade, auction, lowering, blocks=6):
    """Random blocks with moving prices, each compared as a whole."""
    rng = np.random.default_rng(seed)
    spec, params = cases.venue(self_trade)
    collateral, insurance, oracle = cases.random_start(rng)
    state, twin = cases.start(spec, params, collateral, insurance, oracle)
    run = cases.compiled(self_trade, auction, lowering)
    for block in range(1, blocks + 1):
        oracle = cases.moved(rng, oracle)
        halted = (rng.random(2) < 0.03).astype(np.int64)
        params = replace(params, halted=jnp.asarray(halted))
        twin.params["halted"] = halted.tolist()
        state, twin.oracle = replace(state, oracle=jnp.asarray(oracle)), oracle
        rows = cases.random_rows(rng, oracle, block, collateral)
        word = int(rng.integers(1 << 62))
        txs = cases.columns(rows)
        state, receipt, info = run(
            state, txs, jnp.asarray(block), jnp.asarray(word), params
        )
        clear = twin.run_batch if auction else twin.run
        cases.assert_same(
            state, receipt, info, twin, clear(cases.rows_of(txs), block, word)
        )
    return twin


MODES = pytest.mark.parametrize("self_trade", list(SelfTrade), ids=lambda m: m.name)


@MODES
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_native_continuous_block_equals_the_specification(self_trade, seed):
    run_history(seed, self_trade, False, "native")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_native_auction_block_equals_the_specification(seed):
    run_history(seed, SelfTrade.CANCEL_OLDEST, True, "native")
