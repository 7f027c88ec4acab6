"""A block of the rollup, over an exchange that refuses odd lots and else does nothing.

The exchange of these tests pays withdrawals from the collateral and takes its oracle
from the height, so that what a halt stops can be seen.
"""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.randomness import run_key
from market.numbers.units import PPM, as_int
from market.types.orders import Kind, Receipt, Status
from market.types.state import ExchangeInfo, open_exchange
from market.venues.dydx_v4.preset import dydx_v4
from rollup import chain, histogram
from rollup.chain import ChainParams, ChainSpec
from rollup.commitments.roots import accounts_root
from rollup.faults.windows import FaultKind, draw_windows
from rollup.sequencing import SequencerParams
from rollup.settlement.pipeline import SETTLED
from tests.rollup.faults.test_windows import faults
from tests.rollup.settlement.test_pipeline import numbers, outage
from tests.rollup.transactions import column, txs

BLOCK_US = 1_000_000
QUEUE, BLOCK, BATCH, OFFERED = 8, 4, 5, 6
FAMILY_OF = as_int([0, 0, 1, 1])
GAS, START = 10, 1_000_000
VENUE, _ = dydx_v4(("BTC",), accounts=4, book_capacity=4)
RUN_BLOCKS = 60


def execute(exchange, records, height, is_halted):
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


@cache
def compiled(policy):
    spec = ChainSpec(policy=policy, queue=QUEUE, block_txs=BLOCK, batch_blocks=BATCH)

    @jax.jit
    def step(state, exchange, offered, windows, block, params):
        return chain.step(
            state,
            exchange,
            offered,
            windows,
            FAMILY_OF,
            block,
            params,
            spec=spec,
            block_us=BLOCK_US,
            execute=execute,
        )

    return spec, step


class Rollup:
    """A rollup stepped block by block with rows of transactions."""

    def __init__(self, *rows, policy="fcfs", params=None):
        self.spec, self._step = compiled(policy)
        idle = [outage(FaultKind.DA_OUTAGE, 0, 0)] * (2 - len(rows))
        self.windows = draw_windows(run_key(0, 0), faults(*rows, *idle))
        self.state = chain.open_chain(self.spec, RUN_BLOCKS, 4)
        self.exchange = open_exchange(
            VENUE, as_int([START] * 4), as_int(0), as_int([1])
        )
        self.params = ChainParams(
            sequencer=SequencerParams(gas_fee=as_int(GAS), min_fee_bid=as_int(0)),
            batches=params or numbers(),
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
        return int(held + self.exchange.fees + self.state.batches.paid)


def at(time):
    return {"sent_us": time, "arrival_us": time}


def test_what_arrives_before_the_block_ends_is_in_it_and_the_rest_waits():
    rollup = Rollup()
    assert rollup.step(at(BLOCK_US - 1), at(BLOCK_US)) == [BLOCK_US - 1]
    assert column(rollup.state.queue) == [BLOCK_US]
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
    expected = histogram.add(jnp.zeros(256, jnp.int64), as_int(seen), jnp.ones(3, bool))
    assert (rollup.state.latency == expected).all()
    assert int(rollup.state.inclusion_us) == 1_100_000


def test_a_halt_makes_no_block_and_loses_no_transaction():
    rollup = Rollup(outage(FaultKind.SEQUENCER_HALT, 2, 3))
    done = [rollup.step(at(i * BLOCK_US)) for i in range(7)]
    waited = [2_000_000, 3_000_000, 4_000_000, 5_000_000]
    assert done == [[0], [BLOCK_US], [], [], [], waited, [6_000_000]]
    assert int(rollup.state.height) == 4
    assert int(rollup.state.halted) == 3
    assert [bool(o.is_halted) for o in rollup.outcomes] == [0, 0, 1, 1, 1, 0, 0]


def test_prices_stand_still_in_a_halt():
    rollup = Rollup(outage(FaultKind.SEQUENCER_HALT, 2, 3))
    prices = []
    for _ in range(6):
        rollup.step()
        prices.append(int(rollup.exchange.oracle[0]))
    assert prices == [1, 2, 2, 2, 2, 3]


def test_nothing_expires_in_a_halt_because_expiry_counts_blocks_made():
    rollup = Rollup(outage(FaultKind.SEQUENCER_HALT, 0, 4))
    rollup.step({"expiry_block": 1})
    for _ in range(3):
        rollup.step()
    assert rollup.step() == [0]
    assert int(rollup.state.expired) == 0


def test_half_a_halt_halves_the_room_and_still_makes_blocks():
    rollup = Rollup(outage(FaultKind.SEQUENCER_HALT, 0, 9, severity_ppm=500_000))
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
    assert not column(rollup.state.queue)


def test_what_has_expired_takes_no_room_from_what_is_new():
    rollup = Rollup()
    far = {"arrival_us": 50 * BLOCK_US}
    rollup.step(*[{**far, "expiry_block": 1}] * 4)
    rollup.step(*[far] * 4)
    rollup.step(*[far] * 4)
    assert int(rollup.state.full) == 0
    assert int(rollup.state.expired) == 4


def test_a_full_mempool_drops_the_newest_aloud():
    rollup = Rollup()
    far = {"arrival_us": 50 * BLOCK_US}
    rollup.step(*[far] * 6)
    rollup.step(*[far] * 6)
    assert int(rollup.state.full) == 4
    assert int(rollup.state.entered) == 12
    assert int(rollup.state.queue_peak) == QUEUE


@pytest.mark.parametrize("policy", ["fcfs", "priority_fee", "batch_auction"])
def test_censored_transactions_wait_and_run_afterwards(policy):
    censor = {**outage(FaultKind.CENSORSHIP, 1, 3), "families": 1 << 1}
    rollup = Rollup(censor, policy=policy)
    mine, theirs = {"account": 0}, {"account": 3}
    assert rollup.step(theirs) == [0]
    done = [rollup.step(mine, theirs) for _ in range(3)]
    assert done == [[1_000_000], [2_000_000], [3_000_000]]
    assert int(rollup.state.censored) == 1 + 2 + 3
    assert rollup.step() == [1_000_000, 2_000_000, 3_000_000]
    assert int(chain.unaccounted(rollup.state)) == 0


def test_censoring_liquidations_leaves_other_transactions_of_the_same_account():
    censor = {**outage(FaultKind.CENSORSHIP, 0, 2), "kinds": 1 << Kind.LIQUIDATE}
    rollup = Rollup(censor)
    liquidation = {"kind": Kind.LIQUIDATE, "account": 3, **at(5)}
    assert rollup.step(liquidation, {"account": 3, **at(9)}) == [9]
    rollup.step()
    assert rollup.step() == [5]


def test_partial_censorship_keeps_its_choice_while_a_transaction_waits():
    half = outage(FaultKind.CENSORSHIP, 0, 40, severity_ppm=500_000)
    rollup = Rollup({**half, "families": 0b11})
    rollup.step(*({"account": i % 4, **at(7_919 * i)} for i in range(6)))
    stuck = column(rollup.state.queue)
    for _ in range(5):
        rollup.step()
    assert 0 < len(stuck) < 6
    assert column(rollup.state.queue) == stuck


def test_the_share_censored_is_the_severity():
    windows = draw_windows(
        run_key(0, 0),
        faults(
            {
                **outage(FaultKind.CENSORSHIP, 0, 9, severity_ppm=300_000),
                "families": 1,
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
    hit = chain._censored(records, windows, jnp.int64(0), jnp.zeros(1_000, jnp.int64))
    assert float(hit.mean()) == pytest.approx(0.3, abs=0.03)


def test_a_da_outage_throttles_blocks_once_the_backlog_is_long():
    down = outage(FaultKind.DA_OUTAGE, 0, 60)
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
    rollup = Rollup(policy="priority_fee")
    rollup.step({"account": 0, "fee_bid": 500, "lots": 3})
    assert int(rollup.state.rejected) == 1
    assert int(rollup.exchange.collateral[0]) == START - GAS - 500


@pytest.mark.parametrize(("collateral", "cost"), [(5_000, 0), (-9_000, 14_000)])
def test_a_fee_is_taken_as_far_as_the_money_goes_long_or_flat(collateral, cost):
    rollup = Rollup(policy="priority_fee")
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
    rollup = Rollup(outage(FaultKind.SEQUENCER_HALT, 4, 1))
    for _ in range(2 * BATCH):
        rollup.step({})
    pipeline = rollup.state.batches
    assert int(pipeline.sealed) == 1
    assert int(pipeline.txs[0]) == 2 * BATCH


def test_settlement_goes_on_while_the_sequencer_is_halted():
    rollup = Rollup(outage(FaultKind.SEQUENCER_HALT, 5, 40))
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
        assert int(rollup.state.batches.paid) == 0
        rollup.step()
        waits += 1
    assert int(rollup.state.batches.done[SETTLED]) == 1
    assert int(rollup.state.batches.paid) == 600_000
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
        paid.add(int(rollup.state.batches.paid))
        owed = int(rollup.exchange.withdrawn.sum())
        assert owed == int(rollup.state.batches.pending.sum())
        assert owed + int(rollup.state.batches.paid) == 130
    assert paid == {0, 100, 130}


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
    st.sampled_from(list(FaultKind)),
    st.integers(0, 10),
    st.integers(0, 10),
    st.sampled_from([PPM, 500_000]),
)


@pytest.mark.parametrize("policy", ["fcfs", "priority_fee", "batch_auction"])
@given(
    history=st.lists(st.lists(rows, max_size=OFFERED), min_size=1, max_size=14),
    struck=st.lists(strikes, max_size=2),
)
@settings(max_examples=25, deadline=None)
def test_every_transaction_and_every_quantum_is_accounted_for(policy, history, struck):
    named = [
        {**outage(kind, start, length, size), "families": 0b10}
        for kind, start, length, size in struck
    ]
    rollup = Rollup(*named, policy=policy)
    entered, executed, before = 0, [], rollup.money()
    for sent in history:
        now = rollup.block * BLOCK_US
        dated = [{**row, **at(now + row["late"])} for row in sent]
        for row in dated:
            del row["late"]
        entered += sum(row["kind"] != Kind.NONE for row in dated)
        executed += rollup.step(*dated)
        state = rollup.state
        queued = len(column(state.queue))
        assert int(state.entered) == entered
        done = int(state.executed + state.rejected)
        assert done == len(executed)
        assert entered == done + int(state.expired + state.full) + queued
        assert int(chain.unaccounted(state)) == 0
        assert rollup.money() == before
        assert int(state.height + state.halted) == rollup.block
        assert int(state.latency.sum()) == done
