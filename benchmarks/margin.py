"""Margin checks a second, and how deleveraging grows with the accounts.

    python -m benchmarks.margin [--repeats 15]

Prints one JSON line. `maintenance_checks` is equity, maintenance requirement and the
liquidation test of every position; `all_checks` is the initial requirement with
open-interest scaling besides. Each deleveraging is timed at N and 5 N accounts, in
alternating rounds: linear cost is a ratio of about five. `block_*` is a whole block of
the exchange that holds nothing but one deleveraging by that rule; the random walk ends
after 500 counterparties. Times are of the process, on
one core, so that other load on the machine weighs less.
"""

import argparse
import json
import os
import time

ACCOUNTS, MARKETS, SWEEPS = 4_096, 3, 100
SMALL, LARGE = 20_000, 100_000


def single_threaded() -> None:
    """One core, so that the figure is per core; before JAX is imported."""
    os.environ["XLA_FLAGS"] = (
        os.environ.get("XLA_FLAGS", "")
        + " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def best_seconds(functions: dict, repeats: int) -> dict:
    """Best processor time of each, in alternating rounds after a call that compiles."""
    for run in functions.values():
        run()
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(repeats):
        for name, run in functions.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def margin_rounds() -> dict:
    """Functions that check ACCOUNTS * MARKETS positions SWEEPS times."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from market.rules import margin
    from market.rules.margin import Tier

    rng = np.random.default_rng(0)
    lots = jnp.asarray(rng.integers(-1_000, 1_000, (ACCOUNTS, MARKETS)))
    collateral = jnp.asarray(rng.integers(0, 10**10, ACCOUNTS))
    per_lot = jnp.asarray([6_000_000, 3_000_000, 150_000])
    tier = Tier(*(jnp.full(MARKETS, x) for x in (20_000, 600_000, 10**12, 10**13)))
    open_notionals = jnp.full(MARKETS, 5 * 10**12)

    def maintenance(prices):
        notionals = lots * prices
        mmr = margin.maintenance_requirement(
            abs(notionals), tier.initial_margin_ppm, tier.maintenance_ppm
        ).sum(-1)
        return margin.is_liquidatable(margin.equity(collateral, notionals), mmr)

    def everything(prices):
        risk = margin.account_risk(collateral, lots * prices, open_notionals, tier)
        sound = margin.is_initially_collateralised(risk.nc, risk.imr)
        return margin.is_liquidatable(risk.nc, risk.mmr) & ~sound

    def rounds(check):
        def sweep(count, move):
            # The prices move with every sweep, so that none can be hoisted.
            return count + check(per_lot + move).sum(), None

        run = jax.jit(lambda: jax.lax.scan(sweep, 0, jnp.arange(SWEEPS))[0])
        return lambda: run().block_until_ready()

    return {"maintenance_checks": rounds(maintenance), "all_checks": rounds(everything)}


def deleveraging_rounds() -> dict:
    """Each way to share a deleveraging, at SMALL and at LARGE accounts."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from market.rules import allocation

    rng = np.random.default_rng(0)
    functions = {}

    def add(name, rule, *args):
        run = jax.jit(rule)
        functions[name] = lambda: jax.block_until_ready(run(*args))

    for accounts in (SMALL, LARGE):
        held = jnp.asarray(rng.integers(0, 1_000, accounts))
        score = jnp.asarray(rng.integers(0, 1 << 40, accounts))
        amount = held.sum() // 3
        add(
            f"queue_{accounts}",
            allocation.allocate_by_score,
            score,
            held,
            amount,
        )
        add(f"pro_rata_{accounts}", allocation.allocate_pro_rata, held, amount)
        add(
            f"capped_{accounts}",
            allocation.allocate_capped,
            held,
            held // 2 + 1,
            amount,
        )
    return functions


def block_rounds() -> dict:
    """One deleveraging in the exchange block by each rule, at SMALL and at LARGE."""
    import dataclasses

    import jax
    import jax.numpy as jnp
    import numpy as np

    from market.exchange import execute
    from market.types.environment import Turn
    from market.types.orders import no_transactions
    from market.types.specs import Deleveraging
    from market.types.state import open_exchange
    from market.venues.dydx_v4.preset import dydx_v4

    functions = {}
    for rule in Deleveraging:
        for accounts in (SMALL, LARGE):
            rng = np.random.default_rng(0)
            spec, params = dydx_v4(("BTC",), accounts=accounts, book_capacity=1)
            spec = dataclasses.replace(spec, deleveraging=rule)
            held = -rng.integers(1, 1_000, accounts)
            held[0], held[-1] = -held[1:].sum() // 3, 0
            held[-1] = -held.sum()
            entry = rng.integers(50_000, 70_000, accounts)
            state = open_exchange(
                spec,
                jnp.asarray(10**10 - held * 6_000_000).at[0].add(-2 * 10**10),
                jnp.asarray(0),
                jnp.array([60_000]),
            )
            state = dataclasses.replace(
                state,
                position=jnp.asarray(held)[:, None],
                cost=jnp.asarray(held * entry * 100)[:, None],
                adl_pending=state.adl_pending.at[0].set(1),
            )
            empty, zero = no_transactions((1,)), jnp.asarray(0)

            def run(state, params, spec=spec, empty=empty, zero=zero):
                return execute(
                    state, empty, Turn(zero, zero), params, spec=spec, auction=False
                )

            compiled = jax.jit(run)
            _, _, info = compiled(state, params)
            if int(info.deleveraged) < min(accounts // 10, 500):
                raise SystemExit(f"{rule.name}: only {info.deleveraged} gave")
            functions[f"block_{rule.name.lower()}_{accounts}"] = (
                lambda run=compiled, args=(state, params): jax.block_until_ready(
                    run(*args)
                )
            )
    return functions


def main() -> None:
    """Prints the figures as one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    single_threaded()
    checks = best_seconds(margin_rounds(), repeats)
    positions = ACCOUNTS * MARKETS * SWEEPS
    figures = {f"{name}_per_second": round(positions / t) for name, t in checks.items()}
    times = best_seconds(deleveraging_rounds(), repeats)
    for rule in ("queue", "pro_rata", "capped"):
        small, large = times[f"{rule}_{SMALL}"], times[f"{rule}_{LARGE}"]
        figures[f"{rule}_ms_{LARGE}"] = round(large * 1e3, 3)
        figures[f"{rule}_growth_for_{LARGE // SMALL}x"] = round(large / small, 2)
    times |= best_seconds(block_rounds(), repeats)
    for rule in sorted({name.rpartition("_")[0] for name in times if "block" in name}):
        small, large = times[f"{rule}_{SMALL}"], times[f"{rule}_{LARGE}"]
        figures[f"{rule}_ms_{LARGE}"] = round(large * 1e3, 3)
        figures[f"{rule}_growth_for_{LARGE // SMALL}x"] = round(large / small, 2)
    print(json.dumps({"benchmark": "margin", **figures}))


if __name__ == "__main__":
    main()
