"""A block of the rollup, over an exchange that refuses odd lots and else does nothing.

The exchange of these tests pays withdrawals from the collateral and takes its oracle
from the height, so that what a halt stops can be seen.
"""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.randomness import block_key, run_key
from market.numbers.units import PPM, as_int
from market.types.orders import Kind, Receipt, Status
from market.types.state import ExchangeInfo, open_exchange
from market.upkeep.mark import account_equity
from market.venues.dydx_v4.preset import dydx_v4
from rollup import chain, histogram
from rollup.admission import luck_of
from rollup.commitments.roots import accounts_root
from rollup.faults import FAULTS
from rollup.faults.windows import draw_windows
from rollup.replay import run_root, scheme_words
from rollup.sequencing import SCHEMES
from rollup.sequencing.composed import Composed
from rollup.sequencing.contract import SequencerParams
from rollup.settlement.stages import SETTLED
from rollup.types import ChainParams, ChainSpec, Executor, Moment, Offered, Ordered
from tests.rollup.faults.test_windows import conditions, faults
from tests.rollup.settlement.test_pipeline import numbers, outage
from tests.rollup.transactions import column, txs
from tests.rollup.trial import ODD, PATIENCE, TOO_LATE, TRIAL

BLOCK_US = 1_000_000
QUEUE, BLOCK, BATCH, OFFERED = 8, 4, 5, 6
FAMILY_OF = as_int([0, 0, 1, 1])
GAS, START = 10, 1_000_000
VENUE, _ = dydx_v4(("BTC",), accounts=4, book_capacity=4)
RUN_BLOCKS = 60


def execute(exchange, records, mode, height, is_halted):
    """Refuses odd lots, pays withdrawals, and shows the height as its oracle price."""
    live = records.kind != Kind.NONE
    odd = live & (records.lots % 2 == 1)
    status = jnp.where(odd, Status.MARGIN, Status.ACCEPTED)
    leaves = (records.kind == Kind.WITHDRAW) & ~odd
    quanta = jnp.zeros((4,), jnp.int64)
    quanta = quanta.at[records.account].add(jnp.where(leaves, records.lots, 0))
    nothing = jnp.zeros_like(records.lots)
    state = replace(
        exchange,
        collateral=exchange.collateral - quanta,
        withdrawn=exchange.withdrawn + quanta,
        oracle=jnp.where(is_halted, exchange.oracle, height[None] + 1),
    )
    receipts = Receipt(
        status=jnp.where(live, status, 0), filled_lots=nothing, filled_quote=nothing
    )
    zero = jnp.zeros((), jnp.int64)
    info = ExchangeInfo(**dict.fromkeys(ExchangeInfo.__dataclass_fields__, zero))
    return state, receipts, info


def runs(moment):
    """That exchange, in which positions are worth what they cost."""
    return Executor(
        partial(execute, is_halted=moment.conditions.halted),
        lambda exchange: exchange.collateral + exchange.cost.sum(axis=1),
    )


@cache
def compiled(scheme):
    spec = ChainSpec(scheme=scheme, queue=QUEUE, block_txs=BLOCK, batch_blocks=BATCH)

    @jax.jit
    def step(state, exchange, offered, windows, block, params, seen_us=None):
        moment = Moment(block, BLOCK_US, conditions(windows, block * BLOCK_US))
        return chain.step(
            block_key(run_key(0, 0), block),
            state,
            exchange,
            Offered(offered, FAMILY_OF, seen_us),
            moment,
            params,
            spec=spec,
            executor=runs(moment),
        )

    return spec, step


def numbers_for(scheme, **own):
    """The numbers of a scheme: a gas fee, and its own."""
    common = SequencerParams(gas_fee=as_int(GAS), min_fee_bid=as_int(0))
    if isinstance(scheme, Composed):
        return scheme.numbers(common)
    return scheme.params(
        gas_fee=common.gas_fee,
        min_fee_bid=common.min_fee_bid,
        **{name: as_int(number) for name, number in own.items()},
    )


class Rollup:
    """A rollup stepped block by block with rows of transactions."""

    def __init__(self, *rows, scheme="fcfs", params=None, **numbers_of_scheme):
        scheme = SCHEMES.get(scheme, scheme)
        self.spec, self._step = compiled(scheme)
        idle = [outage("da_outage", 0, 0)] * (2 - len(rows))
        self.windows = draw_windows(run_key(0, 0), faults(*rows, *idle))
        self.exchange = open_exchange(
            VENUE, as_int([START] * 4), as_int(0), as_int([1])
        )
        self.params = ChainParams(
            sequencer=numbers_for(scheme, **numbers_of_scheme),
            batches=params or numbers(),
        )
        self.state = chain.open_chain(
            self.params, spec=self.spec, blocks=RUN_BLOCKS, accounts=4, groups=2
        )
        self.block = 0
        self.outcomes = []

    def step(self, *rows):
        """One block in which these were sent; returns the times of what executed."""
        now = self.block * BLOCK_US
        dated = [{"sent_us": now, "arrival_us": now, "lots": 2, **row} for row in rows]
        self.state, self.exchange, outcome = self._step(
            self.state,
            self.exchange,
            txs(dated, OFFERED),
            self.windows,
            jnp.int64(self.block),
            self.params,
        )
        self.outcomes.append(outcome)
        self.block += 1
        return column(outcome.txs)

    def money(self):
        """Quanta in the exchange and paid out."""
        held = self.exchange.collateral.sum() + self.exchange.withdrawn.sum()
        return int(held + self.exchange.fees + self.state.batches.payouts.paid)


def at(time):
    return {"sent_us": time, "arrival_us": time}


def test_what_arrives_before_the_block_ends_is_in_it_and_the_rest_waits():
    rollup = Rollup()
    assert rollup.step(at(BLOCK_US - 1), at(BLOCK_US)) == [BLOCK_US - 1]
    assert column(rollup.state.waiting.tx) == [BLOCK_US]
    assert rollup.step() == [BLOCK_US]


def test_a_block_takes_what_it_can_carry_and_the_rest_waits_its_turn():
    rollup = Rollup()
    assert rollup.step(*(at(i) for i in range(6))) == [0, 1, 2, 3]
    assert rollup.step() == [4, 5]


def test_the_latency_is_counted_from_sending_to_the_end_of_the_block():
    rollup = Rollup()
    rollup.step(at(0), at(250_000))
    rollup.step(at(900_000))
    seen = [1_000_000, 750_000, 1_100_000]
    assert int(rollup.state.latency.sum()) == 3
    nothing = jnp.zeros(histogram.BUCKETS, jnp.int64)
    expected = histogram.add(nothing, as_int(seen), jnp.ones(3, bool))
    assert (rollup.state.latency == expected).all()
    assert int(rollup.state.inclusion_us) == 1_100_000


def test_a_halt_makes_no_block_and_loses_no_transaction():
    rollup = Rollup(outage("sequencer_halt", 2, 3))
    done = [rollup.step(at(i * BLOCK_US)) for i in range(7)]
    waited = [2_000_000, 3_000_000, 4_000_000, 5_000_000]
    assert done == [[0], [BLOCK_US], [], [], [], waited, [6_000_000]]
    assert int(rollup.state.height) == 4
    assert int(rollup.state.halted) == 3
    assert [bool(o.is_halted) for o in rollup.outcomes] == [0, 0, 1, 1, 1, 0, 0]


def test_prices_stand_still_in_a_halt():
    rollup = Rollup(outage("sequencer_halt", 2, 3))
    prices = []
    for _ in range(6):
        rollup.step()
        prices.append(int(rollup.exchange.oracle[0]))
    assert prices == [1, 2, 2, 2, 2, 3]


def test_nothing_expires_in_a_halt_because_expiry_counts_blocks_made():
    rollup = Rollup(outage("sequencer_halt", 0, 4))
    rollup.step({"expiry_block": 1})
    for _ in range(3):
        rollup.step()
    assert rollup.step() == [0]
    assert int(rollup.state.expired) == 0


def test_half_a_halt_halves_the_room_and_still_makes_blocks():
    rollup = Rollup(outage("sequencer_halt", 0, 9, severity_ppm=500_000))
    assert rollup.step(*(at(i) for i in range(5))) == [0, 1]
    assert int(rollup.state.height) == 1


def test_what_waits_too_long_expires_and_is_counted():
    rollup = Rollup()
    late = {"arrival_us": 3 * BLOCK_US, "expiry_block": 1}
    rollup.step(late)
    rollup.step()
    assert int(rollup.state.expired) == 0
    rollup.step()
    assert int(rollup.state.expired) == 1
    assert not column(rollup.state.waiting.tx)


def test_what_has_expired_takes_no_room_from_what_is_new():
    rollup = Rollup()
    far = {"arrival_us": 50 * BLOCK_US}
    rollup.step(*[{**far, "expiry_block": 1}] * 4)
    rollup.step(*[far] * 4)
    rollup.step(*[far] * 4)
    assert int(rollup.state.full.sum()) == 0
    assert int(rollup.state.expired) == 4


def test_a_full_mempool_drops_the_newest_aloud():
    rollup = Rollup()
    far = {"arrival_us": 50 * BLOCK_US}
    rollup.step(*[far] * 6)
    rollup.step(*[far] * 6)
    assert int(rollup.state.full.sum()) == 4
    assert int(rollup.state.entered) == 12
    assert int(rollup.state.queue_peak) == QUEUE


@pytest.mark.parametrize("scheme", SCHEMES)
def test_censored_transactions_wait_and_run_afterwards(scheme):
    censor = {**outage("censorship", 1, 3), "targets": 1 << 1}
    rollup = Rollup(censor, scheme=scheme)
    mine, theirs = {"account": 0}, {"account": 3}
    assert rollup.step(theirs) == [0]
    done = [rollup.step(mine, theirs) for _ in range(3)]
    assert done == [[1_000_000], [2_000_000], [3_000_000]]
    assert int(rollup.state.censored) == 1 + 2 + 3
    assert rollup.step() == [1_000_000, 2_000_000, 3_000_000]
    assert int(chain.unaccounted(rollup.state)) == 0


def test_censoring_liquidations_leaves_other_transactions_of_the_same_account():
    censor = {**outage("censorship", 0, 2), "transactions": 1 << Kind.LIQUIDATE}
    rollup = Rollup(censor)
    liquidation = {"kind": Kind.LIQUIDATE, "account": 3, **at(5)}
    assert rollup.step(liquidation, {"account": 3, **at(9)}) == [9]
    rollup.step()
    assert rollup.step() == [5]


def test_partial_censorship_keeps_its_choice_while_a_transaction_waits():
    half = outage("censorship", 0, 40, severity_ppm=500_000)
    rollup = Rollup({**half, "targets": 0b11})
    rollup.step(*({"account": i % 4, **at(7_919 * i)} for i in range(6)))
    stuck = column(rollup.state.waiting.tx)
    for _ in range(5):
        rollup.step()
    assert 0 < len(stuck) < 6
    assert column(rollup.state.waiting.tx) == stuck


def test_the_share_censored_is_the_severity():
    windows = draw_windows(
        run_key(0, 0),
        faults(
            {
                **outage("censorship", 0, 9, severity_ppm=300_000),
                "targets": 1,
            }
        ),
    )
    rng = np.random.default_rng(5)
    records = txs(
        {"account": int(a), "sent_us": int(t)}
        for a, t in zip(
            rng.integers(0, 1_000, 4_000), rng.integers(0, 10**9, 4_000), strict=True
        )
    )
    censor = conditions(windows).censor
    nobody = jnp.zeros((4_000,), jnp.int64)
    hit = censor.passes_over(nobody, records.kind, luck_of(records))
    assert float(hit.mean()) == pytest.approx(0.3, abs=0.03)


def test_a_da_outage_throttles_blocks_once_the_backlog_is_long():
    down = outage("da_outage", 0, 60)
    params = numbers(backlog=2, throttle_ppm=250_000)
    rollup = Rollup(down, params=params)
    sizes = [len(rollup.step(*[{}] * 2)) for _ in range(14)]
    # The second batch is sealed with the tenth block; a quarter of four is one.
    assert sizes == [2] * 10 + [1] * 4


def test_the_senders_pay_gas_to_the_sequencer_and_no_money_is_lost():
    rollup = Rollup()
    before = rollup.money()
    rollup.step({"account": 1}, {"account": 1}, {"account": 2, "lots": 3})
    assert rollup.exchange.collateral.tolist() == [
        START,
        START - 2 * GAS,
        START - GAS,
        START,
    ]
    assert int(rollup.state.revenue) == int(rollup.exchange.fees) == 3 * GAS
    assert rollup.money() == before


def test_bids_are_paid_whether_or_not_the_transaction_succeeds():
    rollup = Rollup(scheme="priority_fee")
    rollup.step({"account": 0, "fee_bid": 500, "lots": 3})
    assert int(rollup.state.rejected) == 1
    assert int(rollup.exchange.collateral[0]) == START - GAS - 500


@pytest.mark.parametrize(("collateral", "cost"), [(5_000, 0), (-9_000, 14_000)])
def test_a_fee_is_taken_as_far_as_the_money_goes_long_or_flat(collateral, cost):
    rollup = Rollup(scheme="priority_fee")
    rollup.exchange = replace(
        rollup.exchange,
        collateral=rollup.exchange.collateral.at[0].set(collateral),
        cost=rollup.exchange.cost.at[0, 0].set(cost),
    )
    rollup.step({"account": 0, "fee_bid": 100})
    assert int(rollup.exchange.collateral[0]) == collateral - 110
    rollup.step({"account": 0, "fee_bid": 1_000_000})
    assert int(rollup.exchange.collateral[0]) == collateral - 5_000
    assert int(rollup.state.revenue) == 5_000


@settings(deadline=None, max_examples=40)
@given(
    lots=st.integers(0, 50),
    equity=st.integers(-10_000, 60_000),
    gain=st.integers(-20_000, 20_000),
    asked=st.integers(-500, 80_000),
)
def test_what_an_account_pays_depends_on_its_equity_and_not_on_its_side(
    lots, equity, gain, asked
):
    # Taken out: the gain; so that what a position cost says nothing of what is left.
    worth = lots * 7 * VENUE.multipliers[0]
    exchange = open_exchange(VENUE, as_int([0] * 4), as_int(0), as_int([7]))
    exchange = replace(
        exchange,
        collateral=as_int([equity - worth, equity + worth, equity, 0]),
        position=as_int([[lots], [-lots], [0], [0]]),
        cost=as_int([[worth - gain], [-worth - gain], [0], [0]]),
    )
    due, held = as_int([asked] * 3 + [0]), account_equity(exchange, VENUE)
    after, earned = chain.charge(exchange, due, held)
    paid = (exchange.collateral - after.collateral).tolist()
    assert paid == [min(max(equity, 0), asked)] * 3 + [0] and int(earned) == sum(paid)


def test_an_account_in_debt_pays_nothing():
    rollup = Rollup()
    debt = rollup.exchange.collateral.at[0].set(-5)
    rollup.exchange = replace(rollup.exchange, collateral=debt)
    rollup.step({"account": 0})
    assert int(rollup.exchange.collateral[0]) == -5
    assert int(rollup.state.revenue) == 0


def test_batches_are_sealed_on_schedule_with_the_root_of_the_accounts():
    rollup = Rollup()
    for i in range(BATCH):
        rollup.step({"account": i % 4})
    pipeline = rollup.state.batches
    assert int(pipeline.sealed) == 1
    assert int(pipeline.txs[0]) == BATCH
    assert int(pipeline.sealed_us[0]) == BATCH * BLOCK_US
    assert pipeline.root[0].tolist() == accounts_root(rollup.exchange).tolist()


def test_a_halted_sequencer_seals_no_batch_and_the_next_one_holds_more():
    rollup = Rollup(outage("sequencer_halt", 4, 1))
    for _ in range(2 * BATCH):
        rollup.step({})
    pipeline = rollup.state.batches
    assert int(pipeline.sealed) == 1
    assert int(pipeline.txs[0]) == 2 * BATCH


def test_settlement_goes_on_while_the_sequencer_is_halted():
    rollup = Rollup(outage("sequencer_halt", 5, 40))
    for _ in range(BATCH + 10):
        rollup.step()
    assert rollup.state.batches.done.tolist() == [1, 1, 1]


def test_a_withdrawal_leaves_the_exchange_now_and_is_paid_when_its_batch_settles():
    rollup = Rollup()
    before = rollup.money()
    rollup.step({"kind": Kind.WITHDRAW, "account": 2, "lots": 600_000})
    waits = 0
    while int(rollup.exchange.withdrawn[2]):
        assert int(rollup.state.batches.done[SETTLED]) == 0
        assert int(rollup.state.batches.payouts.paid) == 0
        rollup.step()
        waits += 1
    assert int(rollup.state.batches.done[SETTLED]) == 1
    assert int(rollup.state.batches.payouts.paid) == 600_000
    # Sealed with the fifth block, then three, five and two seconds of work.
    assert waits == 4 + 10
    assert rollup.money() == before


def test_two_accounts_and_two_batches_pay_apart():
    rollup = Rollup()
    rollup.step({"kind": Kind.WITHDRAW, "account": 0, "lots": 100})
    for _ in range(BATCH):
        rollup.step()
    rollup.step({"kind": Kind.WITHDRAW, "account": 1, "lots": 30})
    paid = set()
    for _ in range(25):
        rollup.step()
        paid.add(int(rollup.state.batches.payouts.paid))
        owed = int(rollup.exchange.withdrawn.sum())
        assert owed == int(rollup.state.batches.payouts.unpaid.sum())
        assert owed + int(rollup.state.batches.payouts.paid) == 130
    assert paid == {0, 100, 130}


def trial(**given):
    """A rollup under the scheme of every part, with gas of ten quanta."""
    return Rollup(scheme=TRIAL, **given)


def test_what_a_scheme_consumes_is_counted_and_never_reaches_the_exchange():
    rollup = trial()
    bid = {"kind": Kind.DEPOSIT, "account": 3, "lots": 600}
    assert rollup.step(bid, {"account": 1, **at(5)}) == [5]
    assert int(rollup.state.scheme.bids) == 600
    assert rollup.state.dropped.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert rollup.exchange.collateral.tolist() == [START, START - GAS, START, START]
    assert int(rollup.state.executed) == 1
    assert int(chain.unaccounted(rollup.state)) == 0


def test_what_a_scheme_drops_is_counted_by_its_reason_the_last_for_all_beyond():
    rollup = trial()
    far = {"arrival_us": 50 * BLOCK_US}
    rollup.step(far, {**far, "fee_bid": ODD}, {**far, "fee_bid": ODD})
    assert rollup.state.dropped.tolist() == [0] * 7 + [2]
    for _ in range(PATIENCE):
        assert int(rollup.state.dropped[TOO_LATE]) == 0
        rollup.step()
    assert int(rollup.state.dropped[TOO_LATE]) == 1
    assert not column(rollup.state.waiting.tx)
    assert int(chain.unaccounted(rollup.state)) == 0


def test_the_notes_of_a_scheme_stay_with_their_transaction_when_gaps_close():
    rollup = trial()
    rollup.step({"fee_bid": ODD, **at(1)}, {"sent_us": 40, "arrival_us": 5 * BLOCK_US})
    rollup.step({"sent_us": 50, "arrival_us": 9 * BLOCK_US})
    waiting = rollup.state.waiting
    assert column(waiting.tx) == [40, 50]
    assert waiting.notes[:2].tolist() == [[2, 280], [1, 350]]
    assert waiting.came_from[:2].tolist() == [1, -1]
    rollup.step()
    assert rollup.state.waiting.came_from[:2].tolist() == [0, 1]


def test_the_clocks_of_a_scheme_order_where_they_differ_from_the_arrival():
    _, step = compiled(TRIAL)
    rollup = trial()
    sent = txs([{"lots": 2, **at(5)}, {"lots": 2, **at(9)}], OFFERED)
    seen = jnp.broadcast_to(sent.arrival_us[:, None], (OFFERED, 3))
    seen = seen.at[0, 2].set(100)
    given = (rollup.state, rollup.exchange, sent, rollup.windows)
    _, _, outcome = step(*given, jnp.int64(0), rollup.params, seen)
    assert column(outcome.txs) == [9, 5]


def test_a_scheme_of_both_modes_says_which_for_every_block():
    rollup = trial()
    for _ in range(4):
        rollup.step({})
    assert [int(o.mode) for o in rollup.outcomes] == [0, 1, 0, 1]


def test_a_refund_comes_out_of_the_fee_account_and_no_money_is_lost():
    rollup = trial()
    before = rollup.money()
    rollup.step({"account": 0, "lots": 3}, {"account": 1}, {"account": 1, "lots": 5})
    assert rollup.outcomes[-1].charge.tolist() == [GAS, 2 * GAS, 0, 0]
    assert rollup.outcomes[-1].charge_after.tolist() == [-GAS, -GAS, 0, 0]
    assert rollup.exchange.collateral.tolist() == [START, START - GAS, START, START]
    assert int(rollup.state.revenue) == int(rollup.exchange.fees) == GAS
    assert rollup.money() == before


def test_a_refund_is_paid_in_full_also_to_a_debtor_and_from_an_empty_account():
    exchange = open_exchange(VENUE, as_int([-50, 7, 0, 0]), as_int(0), as_int([1]))
    asked = as_int([-30, 100, -2, 0])
    exchange, earned = chain.charge(exchange, asked, exchange.collateral)
    assert exchange.collateral.tolist() == [-20, 0, 2, 0]
    assert int(earned) == int(exchange.fees) == 7 - 32


def test_the_facts_of_a_block_are_those_of_the_transaction_and_its_market():
    rollup = Rollup({**outage("censorship", 0, 9), "targets": 1 << 1})
    book = rollup.exchange.book
    ticks = book.ticks.at[0, 0, 1].set(90).at[0, 0, 0].set(80).at[0, 1, 0].set(110)
    book = replace(book, ticks=ticks, count=book.count.at[0].set(as_int([2, 1])))
    rollup.exchange = replace(rollup.exchange, book=book)
    far = {"arrival_us": 50 * BLOCK_US}
    rollup.step({"account": 0, **far}, {"account": 3, **far})
    waiting = rollup.state.waiting
    assert waiting.group[:2].tolist() == [0, 1]
    assert waiting.touch[:2].tolist() == [[90, 110]] * 2
    assert waiting.censored[:2].tolist() == [False, True]
    assert int(rollup.state.censored) == 0, "what has not arrived is not passed over"


def test_a_block_is_executed_again_from_its_outcome_without_the_scheme():
    rollup = trial()
    history = [
        [{"account": a, "lots": 2 + a, **at(a)} for a in range(4)],
        [{"kind": Kind.DEPOSIT, "account": 2, "lots": 9}, {"account": 1, "lots": 5}],
        [{"kind": Kind.WITHDRAW, "account": 2, "lots": 600_000}],
        *[[]] * 12,
    ]
    exchange, state = rollup.exchange, rollup.state
    for sent in history:
        rollup.step(*sent)
    for block, outcome in enumerate(rollup.outcomes):
        moment = Moment(
            jnp.int64(block), BLOCK_US, conditions(rollup.windows, block * BLOCK_US)
        )
        after = (state.scheme, outcome.charge_after)
        state, exchange, again = chain.apply_block(
            state,
            exchange,
            Ordered(outcome.txs, outcome.mode, outcome.charge, lambda _: after),  # noqa: B023
            moment,
            rollup.params,
            spec=rollup.spec,
            executor=runs(moment),
        )
        assert (again.receipts.status == outcome.receipts.status).all()
    words = scheme_words(rollup.state.scheme)
    original = run_root(rollup.exchange, rollup.state, words)
    assert run_root(exchange, state, words).tolist() == original.tolist()
    assert int(state.batches.payouts.paid) == 600_000


def program(scheme):
    """Fifty blocks as one compiled loop whose end alone is looked at."""
    rollup = Rollup(scheme=scheme)
    _, step = compiled(rollup.spec.scheme)
    sent = txs([{}], OFFERED)

    @jax.jit
    def run(state, exchange, windows, params):
        def block(number, carry):
            return step(*carry, sent, windows, number, params)[:2]

        state, exchange = jax.lax.fori_loop(0, 50, block, (state, exchange))
        return state.executed, exchange.collateral

    given = (rollup.state, rollup.exchange, rollup.windows, rollup.params)
    return run.lower(*given).compile().as_text()


def test_facts_that_a_scheme_does_not_read_are_not_computed():
    table = f"s64[{QUEUE},2]"  # the touch, and the notes of the trial scheme
    assert table in program(TRIAL)
    plain, built = program("fcfs"), program("composed")
    assert table not in plain and table not in built
    assert len(built) <= 1.01 * len(plain), "a composition costs what it is made of"


rows = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            [Kind.NONE, Kind.ORDER, Kind.CANCEL, Kind.LIQUIDATE, Kind.WITHDRAW]
        ),
        "account": st.integers(0, 3),
        "lots": st.integers(1, 6),
        "fee_bid": st.integers(0, 100),
        "late": st.integers(0, 3_000_000),
        "expiry_block": st.sampled_from([0, 0, 1, 2, 4, 9]),
    }
)
strikes = st.tuples(
    st.sampled_from(list(FAULTS)),
    st.integers(0, 10),
    st.integers(0, 10),
    st.sampled_from([PPM, 500_000]),
)


@pytest.mark.parametrize("scheme", [*SCHEMES, TRIAL], ids=str)
@given(
    history=st.lists(st.lists(rows, max_size=OFFERED), min_size=1, max_size=14),
    struck=st.lists(strikes, max_size=2),
)
@settings(max_examples=25, deadline=None)
def test_every_transaction_and_every_quantum_is_accounted_for(scheme, history, struck):
    named = [
        {**outage(kind, start, length, size), "targets": 0b10}
        for kind, start, length, size in struck
    ]
    rollup = Rollup(*named, scheme=scheme)
    entered, executed, before = 0, [], rollup.money()
    for sent in history:
        now = rollup.block * BLOCK_US
        dated = [{**row, **at(now + row["late"])} for row in sent]
        for row in dated:
            del row["late"]
        entered += sum(row["kind"] != Kind.NONE for row in dated)
        executed += rollup.step(*dated)
        state = rollup.state
        queued = len(column(state.waiting.tx))
        assert int(state.entered) == entered
        done = int(state.executed + state.rejected)
        assert done == len(executed)
        gone = int(state.expired + state.full.sum() + state.dropped.sum())
        assert entered == done + gone + queued
        assert int(chain.unaccounted(state)) == 0
        assert rollup.money() == before
        assert int(state.height + state.halted) == rollup.block
        assert int(state.latency.sum()) == done
