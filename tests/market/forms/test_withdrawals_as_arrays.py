"""Withdrawals and gates as array operations equal the specification, by account.

Whole blocks of arrays take minutes to compile; what money leaves by is tried alone.
"""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from market import exchange
from market.arrays import entry, funds, gate, margin
from market.twin import funds as twin_funds
from market.twin import gate as twin_gate
from market.twin.lane import RejectError
from market.twin.margin import reckon_prices
from market.types.orders import Status
from market.venues import VENUES
from tests.market.forms import exchange_cases as cases

ACCOUNTS, MARKETS, BLOCK = 12, ("BTC", "ETH", "SOL"), 70
TICKS = [60_000, 30_000, 15_000]
VENUE = [("dydx_v4", ()), ("dydx_v4", ("SOL",)), ("starkex", ()), ("hyperliquid", ())]


@cache
def venue(preset, isolated):
    return VENUES[preset](MARKETS, accounts=ACCOUNTS, isolated=isolated)


@cache
def compiled(preset, isolated):
    """State and quanta [A] -> what becomes of each account's withdrawal; the gates."""
    spec, params = venue(preset, isolated)
    sizes, multipliers = entry.read_static(exchange._static_words(spec, 1, False))

    def run(state, quanta):
        told = jnp.int64(BLOCK), jnp.int64(0), jnp.int64(0)
        prices, rows = (state.oracle, state.mark), exchange._param_rows(params, spec)
        fields = exchange._changing_fields(state)
        lane, env = entry.enter(sizes, multipliers, fields, prices, rows, told)
        env = margin.reckon_prices(env, lane.position)

        def one(account, amount):
            after, status = funds.withdraw(lane, env, True, account, amount)
            return status, after.collateral[account], after.withdrawn[account]

        outcomes = jax.vmap(one)(jnp.arange(ACCOUNTS), quanta)
        return outcomes, gate.close_gate(lane, env).gate_block

    return jax.jit(run)


def accounts(rng, isolated):
    """Positions [A, M] that isolation allows, and balances around their worth."""
    held = rng.integers(-300, 301, (ACCOUNTS, 3)) * (rng.random((ACCOUNTS, 3)) < 0.5)
    if isolated:
        held[held[:, 2] != 0, :2] = 0
    worth = held * np.array(TICKS) * venue("dydx_v4", ())[0].multipliers
    equity = rng.integers(-300, 700, ACCOUNTS) * np.abs(worth).sum(axis=1) // 1_000
    return held, equity + rng.integers(-2, 3, ACCOUNTS) * 1_000 - worth.sum(axis=1)


def specified(lane, account, quanta):
    """What becomes of a withdrawal, as `compiled` tells it; nothing is changed."""
    before, status = lane.collateral[account], Status.ACCEPTED
    try:
        twin_funds.withdraw(lane, account, quanta)
    except RejectError as reject:
        status = reject.status
    after = int(status), lane.collateral[account], lane.withdrawn[account]
    lane.collateral[account], lane.withdrawn[account] = before, 0
    return after


@pytest.mark.parametrize(("preset", "isolated"), VENUE)
def test_what_leaves_and_which_gates_close_equal_the_specification(preset, isolated):
    rng, seen = np.random.default_rng(3), set()
    spec, params = venue(preset, isolated)
    for _ in range(20):
        held, collateral = accounts(rng, isolated)
        state, lane = cases.start(spec, params, collateral.tolist(), 0, TICKS)
        gates = (BLOCK - 1 + rng.integers(0, 2, 4)) * (rng.random(4) < 0.3)
        state = replace(
            state, position=jnp.asarray(held), gate_block=jnp.asarray(gates)
        )
        lane.position, lane.gate_block = held.tolist(), gates.tolist()
        lane.block = BLOCK
        reckon_prices(lane)
        free = [twin_funds.free_collateral(lane, a) for a in lane.accounts]
        quanta = [f + int(rng.integers(0, 2)) for f in free]
        outcomes, closed = compiled(preset, isolated)(state, jnp.asarray(quanta))
        rows = [specified(lane, a, q) for a, q in enumerate(quanta)]
        assert np.stack(outcomes, axis=-1).tolist() == [list(row) for row in rows]
        seen |= {Status(row[0]) for row in rows}
        twin_gate.close_gate(lane)
        assert closed.tolist() == lane.gate_block
    assert seen >= {Status.ACCEPTED, Status.NO_FUNDS, Status.WITHDRAWALS_GATED}
