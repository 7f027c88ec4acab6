"""Nothing is created or lost, whatever a block contains; rejects leave no trace."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.types.orders import Kind, Status
from tests.market.forms import exchange_cases as cases

SEEDS = st.integers(0, 2**32 - 1)
#: Rejects that may leave a mark, a cancelled order or a shrunk one behind.
MARKED = (Status.INSURANCE_EMPTY, Status.NOTHING_TO_TAKE)
PRESETS = pytest.mark.parametrize("preset", cases.PRESETS)


def assert_conserved(state):
    """Money, contracts and orders add up to the unit."""
    owned = state.collateral.sum() + state.withdrawn.sum()
    owned += state.insurance.sum() + state.fees + state.residue
    assert int(owned) == int(state.paid_in)
    np.testing.assert_array_equal(state.position.sum(axis=0), 0)
    np.testing.assert_array_equal(
        state.open_lots.sum(axis=0), state.book.lots.sum(axis=-1)
    )
    reserved = (state.book.lots * state.book.loss).sum(axis=(1, 2))
    np.testing.assert_array_equal(state.open_loss.sum(axis=0), reserved)
    assert int(state.insurance.min()) >= 0
    assert int(state.open_lots.min()) >= 0


def assert_in_order(state):
    """Sides are sorted from worst to best and clean beyond their count."""
    place = np.arange(cases.CAPACITY)
    count = np.asarray(state.book.count)[..., None]
    ticks, lots = np.asarray(state.book.ticks), np.asarray(state.book.lots)
    assert (lots[place < count] > 0).all() and (lots[place >= count] == 0).all()
    steps = np.diff(ticks, axis=-1) * np.array([1, -1])[:, None]
    assert (steps[place[1:] < count] >= 0).all()


def histories(seed, auction, preset="dydx_v4", blocks=6):
    """States, receipts and rows of random blocks."""
    rng = np.random.default_rng(seed)
    kind = cases.Venue(preset)
    spec, params = cases.venue(kind)
    collateral, insurance, oracle = cases.random_start(rng)
    state, _ = cases.start(spec, params, collateral, insurance, oracle)
    run = cases.compiled(kind, auction, "native")
    for block in range(1, blocks + 1):
        oracle = cases.moved(rng, oracle)
        state = replace(state, oracle=jnp.asarray(oracle))
        rows = cases.random_rows(rng, oracle, block, collateral, hostility=0.2)
        word, number = jnp.asarray(int(rng.integers(1 << 62))), jnp.asarray(block)
        state, receipt, _ = run(state, cases.columns(rows), number, word, params)
        yield state, receipt, rows, number


@PRESETS
@pytest.mark.parametrize("auction", [False, True], ids=["continuous", "auction"])
@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_every_block_conserves_money_contracts_and_orders(auction, preset, seed):
    for state, *_ in histories(seed, auction, preset):
        assert_conserved(state)
        assert_in_order(state)


@PRESETS
@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_a_reject_changes_nothing_but_its_counter(preset, seed):
    *_, (state, _, _, block) = histories(seed, False, preset, blocks=4)
    _, params = cases.venue(cases.Venue(preset))
    run = cases.compiled(cases.Venue(preset), False, "native")
    state, *_ = run(state, cases.columns([]), block, jnp.asarray(0), params)
    rng = np.random.default_rng(seed)
    oracle = state.oracle.tolist()
    wealth = [10**9] * cases.ACCOUNTS
    rows = cases.random_rows(rng, oracle, int(block), wealth, hostility=0.5)
    for row in rows:
        one = cases.columns([row])
        after, receipt, _ = run(state, one, block, jnp.asarray(0), params)
        status = int(receipt.status[0])
        if status > Status.REJECTED and status not in MARKED:
            if row["kind"] != Kind.REPLACE:
                expected = state.counters.at[status].add(1)
                changed = replace(state, counters=expected)
                jax.tree.map(np.testing.assert_array_equal, changed, after)
