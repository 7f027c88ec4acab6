"""Batches of a rollup: sealed on schedule, settled later, paid out then."""

from market.types.orders import Kind
from rollup.commitments.roots import accounts_root
from rollup.settlement.stages import SETTLED
from tests.rollup.rollups import (
    BATCH,
    BLOCK_US,
    Rollup,
)
from tests.rollup.settlement.test_pipeline import outage


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
