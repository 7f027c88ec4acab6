"""Whole worlds under faults: what a desk would see happen, and when."""

import jax.numpy as jnp
import numpy as np
import pytest

from market.types.orders import Kind, Status
from rollup.settlement.pipeline import POSTED, SETTLED
from tests.worlds import Watched, begin, small, watched

HALT = {"kind": "sequencer_halt", "start": "25s", "duration": "35s"}
NO_LIQUIDATIONS = {
    "kind": "censorship",
    "start": "0s",
    "duration": "60s",
    "transactions": ["liquidate"],
}
OUTAGE = {"kind": "da_outage", "start": "10s", "duration": "50s"}


def done(world) -> int:
    return int(world.chain.executed + world.chain.rejected)


def waiting(world) -> int:
    return int((world.chain.waiting.tx.kind != Kind.NONE).sum())


def test_a_crash_brings_liquidations_and_a_sound_run():
    world = watched().world
    assert int(world.measures.liquidations) > 5
    assert int(world.measures.status) == 0


def test_a_halt_freezes_height_oracle_funding_and_every_balance():
    run = Watched(*small(faults=[HALT]))
    before = run.advance(25)
    during = run.advance(35)
    assert int(before.chain.height) == int(during.chain.height) == 25
    assert int(during.chain.halted) == 35
    frozen = ("oracle", "funding_index", "collateral", "position", "counters", "fees")
    for name in frozen:
        old, new = getattr(before.exchange, name), getattr(during.exchange, name)
        assert (old == new).all(), name
    assert (run.setting.path[25] != run.setting.path[59]).any(), "outside goes on"
    assert waiting(during) > waiting(before) + 50


def test_after_a_halt_the_waiting_run_and_the_price_catches_up():
    run = Watched(*small(faults=[HALT]))
    during = run.advance(60)
    after = run.advance(1)
    assert int(after.chain.height) == 26
    assert done(after) - done(during) == run.spec.chain.block_txs < waiting(during)
    assert (after.exchange.oracle != during.exchange.oracle).any()


def test_a_halt_over_the_payment_skips_one_funding_interval():
    paid = Watched(*small())
    skipped = Watched(*small(faults=[HALT]))
    for run in (paid, skipped):
        run.advance(41)
    assert np.abs(paid.world.exchange.funding_index).sum() > 0
    assert not np.abs(skipped.world.exchange.funding_index).any()
    skipped.advance(39)
    assert np.abs(skipped.world.exchange.funding_index).sum() > 0


def test_liquidators_race_and_the_losers_are_told():
    counters = watched().counters
    assert counters[Status.ALREADY_LIQUIDATED] > 0
    assert int(watched().world.measures.liquidations) > 0


def test_censored_liquidations_do_not_happen_until_the_censor_stops():
    free = Watched(*small())
    run = Watched(*small(faults=[NO_LIQUIDATIONS]))
    assert int(free.advance(60).measures.liquidations) > 0
    world = run.advance(60)
    assert int(world.measures.liquidations) == 0
    assert int(world.chain.censored) > 0
    assert int(world.measures.endangered) > int(free.world.measures.endangered)
    assert (np.asarray(world.chain.waiting.tx.kind) == Kind.LIQUIDATE).any()
    reasons = [Status.ALREADY_LIQUIDATED, Status.NOTHING_TO_TAKE]
    reasons.append(Status.NOT_LIQUIDATABLE)
    assert not run.counters[reasons].any()
    world = run.advance(4)
    tried = int(world.measures.liquidations) + run.counters[reasons].sum()
    assert tried > 0, "what waited has run"


def test_a_da_outage_holds_back_settlement_and_payment():
    calm, struck = watched(), Watched(*small(faults=[OUTAGE]))
    world = struck.advance(80)
    sealed = int(world.chain.batches.sealed)
    assert sealed == int(calm.world.chain.batches.sealed) == 8
    for stage in (POSTED, SETTLED):
        assert world.chain.batches.done[stage] < calm.world.chain.batches.done[stage]
    payouts, paid = world.chain.batches.payouts, calm.world.chain.batches.payouts
    assert int(payouts.payments) < int(paid.payments)
    assert int(payouts.unpaid.sum()) > 0
    assert int(world.measures.status) == 0


def test_a_da_outage_throttles_blocks_when_the_backlog_is_long():
    tight = {"throttle_backlog": 1, "throttle": 0.05}
    run = Watched(*small(faults=[OUTAGE], rollup=tight))
    run.advance(12)
    for _ in range(5):
        before = done(run.world)
        world = run.advance(1)
        assert done(world) - before == 96 // 20
    assert waiting(world) > 50


def test_withdrawals_are_paid_in_whole_batches_after_they_settle():
    run = Watched(*small())
    paid, settled = 0, 0
    for _ in range(40):
        world = run.advance(1)
        pipeline = world.chain.batches
        if int(pipeline.payouts.paid) > paid:
            assert int(pipeline.done[SETTLED]) == settled + 1
        paid, settled = int(pipeline.payouts.paid), int(pipeline.done[SETTLED])
        owed = int(world.exchange.withdrawn.sum())
        assert owed == int(pipeline.payouts.unpaid.sum())
    assert paid > 0


def test_a_top_up_takes_its_time_through_the_settlement_layer():
    slow = {"leveraged_traders": {"top_up_delay": "30s", "react": 1}}
    run = Watched(*small(populations=slow))
    first_wish = None
    for block in range(80):
        world = run.advance(1)
        wished = int(world.memories["leveraged_traders"].waits_until.max()) > 0
        if wished and first_wish is None:
            first_wish = block
        if int(world.measures.deposits.sum()) > 0:
            break
    assert first_wish is not None
    assert block - first_wish >= 30


@pytest.mark.parametrize("policy", ["priority_fee", "batch_auction"])
def test_schemes_are_compared_on_the_same_people_prices_and_first_impulses(policy):
    one, other = Watched(*small()), Watched(*small(policy))
    assert (one.setting.path == other.setting.path).all()
    assert (one.setting.start == other.setting.start).all()
    one.advance(1), other.advance(1)
    for name in ("market_makers", "leveraged_traders"):
        first, second = one.world.memories[name], other.world.memories[name]
        for field in first.__dataclass_fields__:
            assert (getattr(first, field) == getattr(second, field)).all()
    assert int(one.world.chain.entered) == int(other.world.chain.entered)


def test_runs_of_one_seed_differ():
    spec, params = small()
    first, second = (begin(spec, params, run=run) for run in (0, 1))
    assert (first[0].path != second[0].path).any()
    assert (first[0].start != second[0].start).all()


def test_a_searcher_sandwiches_only_where_the_mempool_is_public():
    # An offer in slot 1 that lives for one block is half of a sandwich.
    def sandwiches(policy):
        run = Watched(
            *small(
                policy,
                populations={
                    "searchers": {
                        "sandwich": 1,
                        "alert": 0,
                        "unwind": 0,
                        "victim_notional": 2_000,
                    }
                },
            )
        )
        rows, seen = run.rows("searchers"), 0
        for _ in range(30):
            world = run.advance(1)
            seen += int(jnp.abs(world.exchange.position[rows]).sum())
        return seen

    assert sandwiches("priority_fee") > 0
    assert sandwiches("fcfs") == 0
    assert sandwiches("batch_auction") == 0


def oracle_fault(kind, severity=1, **more):
    window = {"start": "20s", "duration": "30s"}
    return {"kind": f"oracle_{kind}", **window, "severity": severity, **more}


def test_a_stuck_oracle_stands_while_the_outside_price_moves_and_looks_fresh():
    run = Watched(*small(faults=[oracle_fault("stuck")]))
    before, during = run.advance(20), run.advance(30)
    assert (before.exchange.oracle == during.exchange.oracle).all()
    assert (during.exchange.oracle_us == 49_000_000).all()
    assert (run.setting.path[19] != run.setting.path[49]).all()
    assert (run.advance(1).exchange.oracle != before.exchange.oracle).all()


def test_a_silent_oracle_grows_old_and_a_venue_with_a_limit_stops_trading():
    silent = [oracle_fault("silence")]
    run = Watched(*small(faults=silent, oracle={"max_age": "10s"}))
    careless = Watched(*small(faults=silent))
    run.advance(30), careless.advance(30)
    assert run.root == careless.root, "up to its limit the price is fresh"
    old = run.counters[Status.HALTED]
    trades, others = int(run.world.measures.trades), int(careless.world.measures.trades)
    run.advance(20), careless.advance(20)
    assert (run.world.exchange.oracle_us == 19_000_000).all()
    assert run.counters[Status.HALTED] > old
    assert int(run.world.measures.trades) == trades
    assert int(careless.world.measures.trades) > others
    assert int(run.advance(5).measures.trades) > trades, "a fresh price opens it"


def test_liars_pull_the_price_only_with_a_majority_and_only_in_their_markets():
    def price(severity):
        lie = oracle_fault("manipulation", severity, bias=-0.2, markets=["ETH"])
        return np.asarray(Watched(*small(faults=[lie])).advance(21).exchange.oracle)

    honest = np.asarray(Watched(*small()).advance(21).exchange.oracle)
    few, many = price(0.4), price(0.6)
    assert few == pytest.approx(honest, rel=0.001)
    assert many[[0, 2]].tolist() == honest[[0, 2]].tolist()
    assert many[1] == pytest.approx(0.8 * honest[1], rel=0.001)


def test_a_false_price_liquidates_who_was_sound():
    lie = oracle_fault("manipulation", bias=-0.1)
    honest, lied = Watched(*small()), Watched(*small(faults=[lie]))
    honest.advance(30), lied.advance(30)
    few, many = (int(r.world.measures.liquidations) for r in (honest, lied))
    assert many > few


def test_after_a_restart_liquidations_wait_for_the_grace():
    short = {**HALT, "duration": "5s"}
    grace = {"liquidation": {"restart_grace": "20s"}}
    run = Watched(*small(faults=[short], venue=grace))
    free = Watched(*small(faults=[short]))
    run.advance(30), free.advance(30)
    before = int(run.world.measures.liquidations)
    assert before == int(free.world.measures.liquidations)
    during, other = run.advance(20), free.advance(20)
    assert int(during.measures.liquidations) == before
    assert int(other.measures.liquidations) > before
    assert int(run.advance(5).measures.liquidations) > before


RICH = {"leveraged_traders": {"leverage": 25, "max_leverage": 45}}
VENUES = {
    "starkex": {"venue": {"preset": "starkex", "isolated": ["SOL"]}},
    "hyperliquid": {
        "venue": {
            "preset": "hyperliquid",
            "insurance": None,
            "funding": {"default_rate": None},
        },
        "populations": {**RICH, "vault": {"collateral": 200_000}},
    },
}


@pytest.mark.parametrize("preset", VENUES)
def test_a_crash_at_every_venue_is_sound_and_brings_its_own_liquidations(preset):
    run = Watched(*small(**{"populations": RICH, **VENUES[preset]}))
    world = run.advance(80)
    assert int(world.measures.status) == 0
    assert int(world.measures.liquidations) > 5
    assert run.counters[Status.ISOLATED] == 0
    assert run.counters[Status.UNFAIR_PRICE] == 0
    vault = int(world.measures.taken_over)
    assert (vault > 0) == (preset == "hyperliquid")
    if preset == "starkex":  # keepers hold what they took over, or sold it again
        assert run.counters[Status.NOTHING_TO_TAKE] == 0
        position = np.asarray(world.exchange.position)
        isolated, others = position[:, 2] != 0, (position[:, :2] != 0).any(axis=1)
        assert isolated.any() and not (isolated & others).any()
