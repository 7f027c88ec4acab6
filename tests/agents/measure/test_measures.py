"""Measures: the soundness of a run, and the figures read off it."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import run as runs
from agents.measure import measures, series
from agents.measure.accumulators import open_measures
from agents.measure.contract import Seen
from agents.measure.measures import spread_and_depth
from agents.measure.metrics import METRICS
from agents.measure.metrics.refusals import _REFUSED
from agents.measure.series import SERIES
from agents.measure.soundness import Fault, conservation_errors, explain
from agents.views import DANGER, Risk
from market.numbers.units import as_int
from market.types.orders import Kind, Receipt, Status
from market.types.state import open_exchange
from market.venues.dydx_v4.preset import dydx_v4
from rollup.chain import BlockOutcome
from tests.rollup.transactions import txs
from tests.worlds import BLOCKS, watched

FAMILIES = ("maker", "trader", "searcher", "liquidator", "vault", "guest")
GROUPS = ("market_makers", "leveraged_traders", "searchers", "liquidators")


@pytest.fixture(scope="module")
def run():
    return watched()


@pytest.fixture(scope="module")
def figures(run):
    read = jax.jit(partial(runs.figures_of, spec=run.spec))
    return {k: int(v) for k, v in read(run.world, run.setting, run.params).items()}


def errors(run, **changes):
    state = replace(run.world.exchange, **changes)
    found = conservation_errors(state, run.world.chain.batches.payouts.paid)
    return tuple(int(error) for error in found)


def test_a_real_state_conserves_money_contracts_and_orders(run):
    assert errors(run) == (0, 0, 0)
    assert int(run.world.exchange.open_lots.sum()) > 0, "there are orders to count"
    assert int(jnp.abs(run.world.exchange.position).sum()) > 0


@pytest.mark.parametrize("name", ["collateral", "withdrawn", "insurance"])
def test_a_quantum_from_nowhere_is_an_error_of_one(run, name):
    value = getattr(run.world.exchange, name)
    assert errors(run, **{name: value.at[2].add(1)}) == (1, 0, 0)


@pytest.mark.parametrize("name", ["fees", "residue", "paid_in"])
def test_a_fund_off_by_one_is_an_error_of_one(run, name):
    assert errors(run, **{name: getattr(run.world.exchange, name) - 1}) == (1, 0, 0)


def test_a_contract_or_an_order_from_nowhere_is_an_error(run):
    state = run.world.exchange
    assert errors(run, position=state.position.at[0, 1].add(2)) == (0, 2, 0)
    assert errors(run, open_lots=state.open_lots.at[0, 1, 0].add(5)) == (0, 0, 5)


def seen_in(**given) -> Seen:
    """What a block showed, of which a test says what it needs."""
    return Seen(**{**dict.fromkeys(Seen._fields), **given})


def check(run, before, exchange=None, chain=None, block=9):
    seen = seen_in(
        after=exchange or run.world.exchange,
        chain=chain or run.world.chain,
        block=jnp.int64(block),
    )
    return measures._check(before, seen, BLOCKS)


def broken(run, fault):
    """The state or the chain of a run with one law broken."""
    state, chain = run.world.exchange, run.world.chain
    return {
        Fault.MONEY: {"exchange": replace(state, fees=state.fees + 1)},
        Fault.CONTRACTS: {"exchange": replace(state, position=state.position + 1)},
        Fault.ORDERS: {"exchange": replace(state, open_lots=state.open_lots + 1)},
        Fault.TRANSACTIONS: {"chain": replace(chain, entered=chain.entered + 1)},
        Fault.OVERRUN: {"block": BLOCKS},
        Fault.RANGE: {
            "exchange": replace(
                state,
                collateral=state.collateral.at[0].add(1 << 55),
                paid_in=state.paid_in + (1 << 55),
            )
        },
    }[fault]


@pytest.mark.parametrize("fault", list(Fault))
def test_each_broken_law_sets_its_own_bit_and_the_first_block_is_kept(run, fault):
    fresh = open_measures(56, 5)
    given = {"block": 9, **broken(run, fault)}
    seen = check(run, fresh, **given)
    assert int(seen.status) == fault
    assert int(seen.first_fault) == given["block"]
    later = check(run, seen, **broken(run, Fault.MONEY), block=12)
    assert int(later.status) == fault | Fault.MONEY
    assert int(later.first_fault) == given["block"]
    assert int(check(run, seen).status) == fault, "a fault is never forgotten"


def test_a_sound_run_has_no_first_fault(run):
    assert int(run.world.measures.status) == 0
    assert int(run.world.measures.first_fault) == -1


def test_a_fault_is_explained_with_its_run_and_block():
    text = explain(Fault.MONEY | Fault.ORDERS, 12, 3)
    assert text.startswith("run 3, block 12: money")
    assert "open orders" in text and "transaction" not in text


def test_the_metrics_read_are_those_described(figures):
    people = {f"{title}_pnl" for title in FAMILIES}
    people |= {f"{of}{g}" for g in GROUPS for of in ("pnl_", "full_of_", "refused_of_")}
    assert set(figures) == {*METRICS, *people}


def test_the_series_sampled_are_those_described(run):
    sample = jax.eval_shape(
        partial(series.sample, spec=run.spec.venue),
        run.world,
        run.setting.path[0],
        run.params,
    )
    assert set(sample) == set(SERIES)
    markets = len(run.spec.venue.markets)
    for name, row in sample.items():
        assert row.shape == ((markets,) if SERIES[name].per_market else ())


def test_the_profit_of_a_family_is_that_of_its_groups(figures):
    for title, group in zip(FAMILIES, GROUPS, strict=False):
        assert figures[f"{title}_pnl"] == figures[f"pnl_{group}"] != 0
    assert figures["vault_pnl"] == figures["guest_pnl"] == 0, "nobody earns nothing"


def test_profits_of_all_families_are_what_funds_and_fees_lost(run, figures):
    total = sum(figures[f"{family}_pnl"] for family in FAMILIES)
    state = run.world.exchange
    gained = int(state.insurance.sum() + state.fees + state.residue)
    gained -= int(run.params.insurance.sum())
    assert total == -gained
    assert figures["withdrawals"] > 0, "withdrawals must not count as losses"


def test_transactions_add_up(figures):
    queued = int((watched().world.chain.waiting.tx.kind != Kind.NONE).sum())
    done = ("txs_executed", "txs_rejected", "txs_expired", "txs_dropped")
    assert figures["txs_entered"] == sum(figures[name] for name in done) + queued
    reasons = sum(v for k, v in figures.items() if k.startswith("reject_"))
    assert reasons >= figures["txs_rejected"] > 0
    kinds = [f"full_{kind.name.lower()}" for kind in Kind if kind]
    assert figures["txs_full"] == sum(figures[name] for name in kinds)
    for total, part in (("txs_full", "full_of_"), ("txs_rejected", "refused_of_")):
        assert figures[total] == sum(figures[part + group] for group in GROUPS)


def test_every_reason_of_a_refusal_has_a_column_and_a_meaning():
    reasons = {status.name for status in Status if status > Status.REJECTED}
    columns = {name for name in METRICS if name.startswith("reject_")}
    assert columns == {f"reject_{name.lower()}" for name in reasons}
    assert set(_REFUSED) <= reasons, "a meaning without a reason"
    meanings = [METRICS[name].meaning for name in columns]
    assert len(set(meanings)) == len(meanings)


def test_fees_of_venue_and_sequencer_are_told_apart(run, figures):
    fees = figures["venue_fees"] + figures["sequencer_revenue"]
    assert fees == int(run.world.exchange.fees)
    assert 0 < figures["sequencer_revenue"] < figures["venue_fees"]


def test_bad_debt_counts_who_paid_and_what_still_stands(figures):
    parts = ("negative_equity_end", "insurance_paid", "backstop_paid")
    parts += ("deleveraging_loss",)
    assert figures["bad_debt"] == sum(figures[part] for part in parts) > 0


VENUE, _ = dydx_v4(("BTC",), accounts=4, book_capacity=4)


def quoted(bids, asks):
    """A book of (ticks, lots), best last."""
    state = open_exchange(VENUE, as_int([0] * 4), as_int(0), as_int([1_000]))
    book = state.book
    for side, orders in enumerate((bids, asks)):
        for place, (ticks, lots) in enumerate(orders):
            book = replace(
                book,
                ticks=book.ticks.at[0, side, place].set(ticks),
                lots=book.lots.at[0, side, place].set(lots),
                count=book.count.at[0, side].add(1),
            )
    return replace(state, book=book)


def test_spread_and_depth_of_a_book():
    state = quoted([(980, 50), (990, 3), (998, 4)], [(1_010, 6), (1_002, 5)])
    spread, depth, mid = spread_and_depth(state, VENUE)
    assert mid.tolist() == [1_000]
    assert spread.tolist() == [4_000]
    # One per cent, the edge included: 990 to 1,010.
    assert depth.tolist() == [(3 + 4 + 6 + 5) * 1_000 * VENUE.markets[0].multiplier]


def test_a_one_sided_book_has_no_spread_and_no_depth():
    spread, depth, mid = spread_and_depth(quoted([(990, 3)], []), VENUE)
    assert (spread.tolist(), depth.tolist(), mid.tolist()) == ([0], [0], [0])


@pytest.mark.parametrize(
    ("position", "ticks", "loss"), [(50, 990, 10), (50, 1_005, -5), (-50, 1_010, 10)]
)
def test_liquidations_lose_what_they_gave_up_against_the_oracle(position, ticks, loss):
    value = VENUE.markets[0].multiplier
    state = quoted([], [])
    state = replace(state, position=state.position.at[2, 0].set(position))
    records = txs([{"kind": Kind.LIQUIDATE, "slot": 2}, {"kind": Kind.LIQUIDATE}])
    receipts = Receipt(
        status=as_int([Status.FILLED, Status.ALREADY_LIQUIDATED]),
        filled_lots=as_int([50, 0]),
        filled_quote=as_int([50 * ticks * value, 0]),
    )
    outcome = BlockOutcome(
        txs=records,
        receipts=receipts,
        mode=as_int(0),
        charge=as_int([0, 0]),
        charge_after=as_int([]),
        exchange=None,
        oracle=as_int([1_000]),
        is_halted=jnp.bool_(False),
    )
    found = measures._liquidation_loss(
        seen_in(before=state, outcome=outcome, venue=VENUE)
    )
    assert int(found) == 50 * loss * value


def test_a_spell_of_danger_counts_once_and_each_of_its_blocks_too():
    def risk(*equity):
        return Risk(
            equity=as_int(equity), maintenance=as_int([5, 5]), initial=as_int([5, 5])
        )

    seen = open_measures(2, 5)
    for equity in ((9, 9), (4, 9), (3, -7), (9, 3), (2, 9)):
        seen = measures._watch_danger(seen, risk(*equity))
    assert int(seen.spells) == 3
    assert int(seen.endangered) == 5
    assert int(seen.peak_negative) == 7


def test_money_that_came_and_left_is_kept_by_group():
    records = txs(
        [
            {"kind": Kind.DEPOSIT, "account": 0, "lots": 5},
            {"kind": Kind.DEPOSIT, "account": 1, "lots": 7},
            {"kind": Kind.WITHDRAW, "account": 3, "lots": 11},
            {"kind": Kind.WITHDRAW, "account": 3, "lots": 99},
            {"kind": Kind.ORDER, "account": 3, "lots": 1_000},
        ]
    )
    status = [Status.ACCEPTED] * 3 + [Status.NO_FUNDS, Status.RESTING]
    nothing = as_int(np.zeros(5))
    outcome = BlockOutcome(
        txs=records,
        receipts=Receipt(
            status=as_int(status), filled_lots=nothing, filled_quote=nothing
        ),
        mode=as_int(0),
        charge=nothing,
        charge_after=as_int([]),
        exchange=None,
        oracle=as_int([1]),
        is_halted=jnp.bool_(False),
    )
    fresh = open_measures(4, 5)
    block = seen_in(outcome=outcome, group_of=as_int([0, 0, 1, 1]))
    seen = measures._follow_money(fresh, block)
    assert seen.deposits.tolist() == [12, 0, 0, 0, 0]
    assert seen.withdrawals.tolist() == [0, 11, 0, 0, 0]
    assert int(seen.withdrawal_count) == 1
    assert seen.refused.tolist() == [0, 1, 0, 0, 0]


def test_those_in_danger_beyond_the_list_are_counted():
    many = DANGER + 6
    poor = as_int([1] * many)
    risk = Risk(equity=poor, maintenance=poor + 1, initial=poor)
    seen = measures._watch_danger(open_measures(many, 5), risk)
    assert int(seen.unlisted) == 6
    calm = measures._watch_danger(seen, replace(risk, equity=poor + 5))
    assert int(calm.unlisted) == 6
