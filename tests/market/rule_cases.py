"""Random blocks under other rules than dYdX v4's: the twin beside the lowerings."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from market.exchange import execute
from market.specs import Deleveraging
from tests.market import exchange_cases as cases

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


@cache
def compiled(spec, auction, lowering, lanes=False):
    """The block of a lowering, compiled once per venue and mode."""

    def run(state, txs, block, seed, params):
        return execute(
            state,
            txs,
            block,
            seed,
            params,
            spec=spec,
            auction=auction,
            lowering=lowering,
        )

    return jax.jit(jax.vmap(run, in_axes=(0, 0, None, 0, None)) if lanes else run)


def inputs(seed, spec, params, blocks):
    """The start of a history, then prices, rows and word of each block."""
    rng = np.random.default_rng(seed)
    collateral, insurance, oracle = cases.random_start(rng)
    insurance = 0 if rng.random() < 0.7 else insurance
    table, previous = [], oracle
    for block in range(1, blocks + 1):
        oracle = cases.moved(rng, oracle)
        rows = cases.random_rows(rng, oracle, block, collateral)
        table.append((oracle, previous, rows, int(rng.integers(1 << 62))))
        previous = oracle
    return (collateral, insurance, table[0][1]), table


def at_prices(state, oracle, previous):
    """The state at the prices of a block."""
    return replace(
        state, oracle=jnp.asarray(oracle), previous_mark=jnp.asarray(previous)
    )


def run_history(seed, venue, auction, lowering="native", blocks=6):
    """Random blocks with moving prices, each compared as a whole; yields infos."""
    spec, params = venue
    start, table = inputs(seed, spec, params, blocks)
    state, twin = cases.start(spec, params, *start)
    run = compiled(spec, auction, lowering)
    for block, (oracle, previous, rows, word) in enumerate(table, 1):
        state = at_prices(state, oracle, previous)
        twin.oracle, twin.previous_mark = oracle, previous
        txs = cases.columns(rows)
        number = jnp.asarray(block)
        state, receipt, info = run(state, txs, number, jnp.asarray(word), params)
        clear = twin.run_batch if auction else twin.run
        fills = clear(cases.rows_of(txs), block, word)
        cases.assert_same(state, receipt, info, twin, fills)
        yield state, info


def assert_lowerings_equal(seeds, venue, auction, blocks=5):
    """Both lowerings, on the same lanes side by side; the sum of all infos."""
    spec, params = venue
    histories = [inputs(seed, spec, params, blocks) for seed in seeds]
    stack = lambda *arrays: jnp.stack(arrays)  # noqa: E731
    starts = [cases.start(spec, params, *start)[0] for start, _ in histories]
    states = [jax.tree.map(stack, *starts)] * 2
    total = 0
    for block in range(blocks):
        rows = [table[block] for _, table in histories]
        oracle, previous, word = (
            jnp.asarray([row[i] for row in rows]) for i in (0, 1, 3)
        )
        txs = jax.tree.map(stack, *(cases.columns(row[2]) for row in rows))
        results = []
        for lowering, state in zip(("native", "array"), states, strict=True):
            run = compiled(spec, auction, lowering, lanes=True)
            state, number = at_prices(state, oracle, previous), jnp.asarray(block + 1)
            results.append(run(state, txs, number, word, params))
        jax.tree.map(np.testing.assert_array_equal, *results)
        states = [state for state, *_ in results]
        total += int(results[0][2].deleveraged.sum())
    return total
