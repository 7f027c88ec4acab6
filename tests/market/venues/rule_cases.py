"""Random blocks under other rules than dYdX v4's: the twin beside the lowerings."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from market.exchange import execute
from market.numbers.units import QUANTA_PER_USD
from market.types.environment import Turn
from market.types.specs import Deleveraging, Liquidation, Mark
from tests.market.forms import exchange_cases as cases

#: Time between two blocks.
BLOCK_US = 10_000_000
SEEN = ("liquidations", "taken_over", "deleveraged", "backstop_paid")
QUEUES = (Deleveraging.HYPERLIQUID, Deleveraging.BINANCE, Deleveraging.BITMEX)
SHARES = (
    Deleveraging.PRO_RATA,
    Deleveraging.CAPPED_PRO_RATA,
    Deleveraging.CONTRACT_PRO_RATA,
)


def ruled(rule, vault=-1):
    """The venue of `exchange_cases` under a rule of deleveraging."""
    spec, params = cases.venue()
    return replace(spec, deleveraging=rule, vault=vault), params


def staged(vault=2, waits=0):
    """The venue of `exchange_cases` with Hyperliquid's liquidations."""
    spec, params = ruled(Deleveraging.HYPERLIQUID, vault)
    numbers = {
        "maintenance_fraction_ppm": [500_000, 500_000],
        "transfer_margin_ppm": 100_000,
        "liquidation_min_notional": 3_000 * QUANTA_PER_USD,
        "liquidation_max_portion_ppm": 200_000,
        "liquidation_cooldown_us": 2 * BLOCK_US + 1,
        "cooldown_waits": waits,
    }
    values = {name: jnp.asarray(value) for name, value in numbers.items()}
    return replace(spec, liquidation=Liquidation.STAGES, mark=Mark.MEDIAN), replace(
        params, **values
    )


@cache
def compiled(spec, auction, lowering, lanes=False):
    """The block of a lowering, compiled once per venue and mode."""

    def run(state, txs, block, seed, params):
        return execute(
            state,
            txs,
            Turn(block, seed, block * BLOCK_US),
            params,
            spec=spec,
            auction=auction,
            lowering=lowering,
        )

    return jax.jit(jax.vmap(run, in_axes=(0, 0, None, 0, None)) if lanes else run)


def moved(rng, oracle) -> list[int]:
    """The next prices: small steps, so that accounts pass every requirement."""
    size = rng.choice([0.004, 0.015, 0.05], p=[0.3, 0.5, 0.2])
    return [max(1, int(p * (1 + rng.uniform(-size, size)))) for p in oracle]


def inputs(seed, spec, params, blocks):
    """The start of a history, then prices, rows and word of each block."""
    rng = np.random.default_rng(seed)
    collateral, insurance, oracle = cases.random_start(rng)
    insurance = 0 if rng.random() < 0.7 else insurance
    table, previous = [], oracle
    move = cases.moved if spec.liquidation == Liquidation.FILLABLE_PRICE else moved
    for block in range(1, blocks + 1):
        oracle = move(rng, oracle)
        rows = cases.random_rows(rng, oracle, block, collateral)
        table.append((oracle, previous, rows, int(rng.integers(1 << 62))))
        previous = oracle
    return (collateral, insurance, table[0][1]), table


def at_prices(spec, state, prices, previous):
    """The state where margin is reckoned at these prices.

    The price that margin is not reckoned at is the one before: who reads it is caught.
    """
    prices, previous = jnp.asarray(prices), jnp.asarray(previous)
    has_mark = spec.mark == Mark.MEDIAN
    oracle, mark = (previous, prices) if has_mark else (prices, previous)
    return replace(state, oracle=oracle, mark=mark, previous_mark=previous)


def opened(seed, spec, params, start):
    """The exchange twice; with leveraged positions, but where prices jump anyway."""
    state, twin = cases.start(spec, params, *start)
    if spec.liquidation == Liquidation.FILLABLE_PRICE:
        return state, twin
    rng = np.random.default_rng(seed + 1)
    position = np.zeros((cases.ACCOUNTS, 2), np.int64)
    unit = np.array(start[2]) * spec.multipliers
    for account in range(0, cases.ACCOUNTS - 1, 2):
        market, leverage = rng.integers(2), rng.integers(20, 90)
        lots = leverage * start[0][account] // unit[market] * rng.choice([-1, 1])
        position[account : account + 2, market] += [lots, -lots]
    cost = position * unit
    money = np.array(start[0]) - cost.sum(axis=1)
    twin.position, twin.cost = position.tolist(), cost.tolist()
    twin.collateral = money.tolist()
    names = {"position": position, "cost": cost, "collateral": money}
    return replace(state, **{n: jnp.asarray(v) for n, v in names.items()}), twin


def run_history(seed, venue, auction, lowering="native", blocks=6):
    """Random blocks with moving prices, each compared as a whole; yields infos."""
    spec, params = venue
    start, table = inputs(seed, spec, params, blocks)
    state, twin = opened(seed, spec, params, start)
    run = compiled(spec, auction, lowering)
    for block, (oracle, previous, rows, word) in enumerate(table, 1):
        state = at_prices(spec, state, oracle, previous)
        twin.price, twin.previous_mark = oracle, previous
        twin.now_us = block * BLOCK_US
        txs = cases.columns(rows)
        number = jnp.asarray(block)
        state, receipt, info = run(state, txs, number, jnp.asarray(word), params)
        fills = cases.run_twin(twin, txs, block, word, auction)
        cases.assert_same(state, receipt, info, twin, fills)
        yield state, info


def assert_lowerings_equal(seeds, venue, auction, blocks=5):
    """Both lowerings, on the same lanes side by side; what happened in all of them."""
    spec, params = venue
    histories = [inputs(seed, spec, params, blocks) for seed in seeds]
    stack = lambda *arrays: jnp.stack(arrays)  # noqa: E731
    pairs = zip(seeds, histories, strict=True)
    starts = [opened(seed, spec, params, start)[0] for seed, (start, _) in pairs]
    states = [jax.tree.map(stack, *starts)] * 2
    seen = {name: 0 for name in SEEN}
    for block in range(blocks):
        rows = [table[block] for _, table in histories]
        oracle, previous, word = (
            jnp.asarray([row[i] for row in rows]) for i in (0, 1, 3)
        )
        txs = jax.tree.map(stack, *(cases.columns(row[2]) for row in rows))
        results = []
        for lowering, state in zip(("native", "array"), states, strict=True):
            run = compiled(spec, auction, lowering, lanes=True)
            state = at_prices(spec, state, oracle, previous)
            results.append(run(state, txs, jnp.asarray(block + 1), word, params))
        jax.tree.map(np.testing.assert_array_equal, *results)
        states = [state for state, *_ in results]
        for name in SEEN:
            seen[name] += int(getattr(results[0][2], name).sum())
    return seen
