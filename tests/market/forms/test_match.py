"""The rules of the continuous book, on the reference and on both lowerings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.match import empty_side_pair, match
from market.twin.lane import Tx
from market.types.limits import MAX_MESSAGE_VALUE as LARGEST
from market.types.orders import BUY, SELL, Flag, Kind, Status
from market.types.specs import SelfTrade
from tests.market.forms import books
from tests.market.forms.books import LOWERINGS

CAPACITY, SLOTS, BLOCKS, LENGTH = 5, 2, 2, 24


def order(account, side, ticks, lots, flags=0, slot=0, expiry=0, kind=Kind.ORDER):
    return Tx(
        kind,
        account,
        side=side,
        ticks=ticks,
        lots=lots,
        flags=flags,
        slot=slot,
        expiry_block=expiry,
    )


def buy(account, ticks, lots, flags=0, **more):
    return order(account, BUY, ticks, lots, flags, **more)


def sell(account, ticks, lots, flags=0, **more):
    return order(account, SELL, ticks, lots, flags, **more)


def cancel(account, slot=0):
    return Tx(Kind.CANCEL, account, slot=slot)


@pytest.fixture(params=("reference", *LOWERINGS))
def play(request):
    """Plays one block; gives outcomes and by side (ticks, lots, owner) of the rest."""

    def run(*messages, capacity=8, slots=1, mode=SelfTrade.CANCEL_OLDEST):
        options = {"capacity": capacity, "slots": slots, "mode": mode}
        if request.param == "reference":
            book, [(_, outcomes)] = books.run_reference([messages], **options)
            rests = books.reference_resting(book)
        else:
            book, [fills] = books.run_blocks([messages], request.param, **options)
            outcomes = books.outcomes(fills, len(messages))
            rests = books.resting(book)
        return outcomes, {s: [o[:3] for o in rests[s]] for s in rests}

    return run


def statuses(outcomes):
    return [Status(outcome.status) for outcome in outcomes]


# --- what public array books get wrong ---------------------------------------------


def test_a_sweep_takes_every_level_in_its_limit_and_leaves_no_crossed_book(play):
    outcomes, rests = play(sell(1, 100, 5), sell(2, 102, 5), buy(3, 105, 12))
    assert outcomes[2].fills == [(1, 100, 5), (2, 102, 5)]
    assert rests == {BUY: [(105, 2, 3)], SELL: []}
    assert outcomes[2].quote == 5 * 100 + 5 * 102


def test_a_cancel_of_an_unknown_order_takes_nothing_from_a_full_side(play):
    full = [buy(account, 100 - account, 10) for account in range(8)]
    outcomes, rests = play(*full, cancel(77))
    assert outcomes[8].status == Status.UNKNOWN_ORDER
    assert outcomes[8].cancelled == 0
    assert sum(lots for _, lots, _ in rests[BUY]) == 80


@pytest.mark.parametrize("ticks", [1, 95, 200], ids=["worst", "middle", "best"])
def test_a_ninth_order_in_eight_places_is_refused_and_nothing_else_changes(play, ticks):
    full = [buy(account, 100 - account, 10) for account in range(8)]
    before = play(*full)[1]
    outcomes, rests = play(*full, buy(8, ticks, 10))
    assert outcomes[8].status == Status.BOOK_FULL
    assert rests == before


def test_eight_at_one_price_and_then_a_better_one_destroys_none(play):
    full = [sell(account, 100, 10) for account in range(8)]
    outcomes, rests = play(*full, sell(8, 99, 10))
    assert outcomes[8].status == Status.BOOK_FULL
    assert rests[SELL] == [(100, 10, account) for account in range(8)]


# --- price, time, and how an order behaves -----------------------------------------


def test_the_earlier_of_equal_prices_trades_first_at_its_own_price(play):
    outcomes, _ = play(sell(1, 10, 2), sell(2, 9, 2), sell(3, 9, 2), buy(4, 11, 5))
    assert outcomes[3].fills == [(2, 9, 2), (3, 9, 2), (1, 10, 1)]
    assert statuses(outcomes)[3] == Status.FILLED


def test_a_partly_filled_order_keeps_its_priority(play):
    outcomes, rests = play(buy(1, 10, 5), buy(2, 10, 5), sell(3, 10, 2), sell(4, 10, 4))
    assert outcomes[3].fills == [(1, 10, 3), (2, 10, 1)]
    assert rests[BUY] == [(10, 4, 2)]


def test_immediate_or_cancel_drops_what_does_not_fill(play):
    outcomes, rests = play(sell(1, 10, 2), buy(2, 10, 5, Flag.IOC))
    assert (outcomes[1].status, outcomes[1].lots) == (Status.PARTIAL, 2)
    assert rests == {BUY: [], SELL: []}


def test_fill_or_kill_fills_whole_or_changes_nothing(play):
    start = [sell(1, 10, 2), sell(2, 11, 2), sell(3, 12, 9)]
    outcomes, rests = play(*start, buy(4, 11, 5, Flag.FOK))
    assert outcomes[3].status == Status.CANNOT_FILL
    assert rests == play(*start)[1]
    assert play(*start, buy(4, 11, 4, Flag.FOK))[0][3].status == Status.FILLED


def test_post_only_rests_or_is_refused(play):
    outcomes, rests = play(
        sell(1, 10, 2), buy(2, 10, 1, Flag.POST_ONLY), buy(2, 9, 1, Flag.POST_ONLY)
    )
    assert statuses(outcomes)[1:] == [Status.WOULD_TAKE, Status.RESTING]
    assert rests == {BUY: [(9, 1, 2)], SELL: [(10, 2, 1)]}


def test_a_market_order_has_no_limit_and_never_rests(play):
    outcomes, rests = play(
        sell(1, LARGEST, 2), buy(2, 0, 5, Flag.MARKET), sell(3, 0, 5, Flag.MARKET)
    )
    assert statuses(outcomes)[1:] == [Status.PARTIAL, Status.PARTIAL]
    assert [outcome.lots for outcome in outcomes] == [0, 2, 0]
    assert rests == {BUY: [], SELL: []}


def test_a_busy_slot_refuses_a_second_order(play):
    outcomes, rests = play(buy(1, 10, 1), sell(1, 20, 1), buy(1, 9, 1, slot=1), slots=2)
    assert statuses(outcomes)[1:] == [Status.SLOT_BUSY, Status.RESTING]
    assert rests == {BUY: [(10, 1, 2), (9, 1, 3)], SELL: []}


def test_replace_gives_up_the_old_priority_and_the_old_order_even_if_refused(play):
    swap = buy(1, 10, 7, kind=Kind.REPLACE)
    outcomes, rests = play(buy(1, 10, 5), buy(2, 10, 5), swap)
    assert outcomes[2].cancelled == 5
    assert rests[BUY] == [(10, 5, 2), (10, 7, 1)]
    outcomes, rests = play(buy(1, 10, 5), buy(1, 10, 0, kind=Kind.REPLACE))
    assert (outcomes[1].status, outcomes[1].cancelled) == (Status.BAD_LOTS, 5)
    assert rests[BUY] == []


def reduce(account, lots, slot=0):
    return Tx(Kind.REDUCE, account, lots=lots, slot=slot)


def test_reduce_keeps_the_priority_of_what_is_left(play):
    start = [sell(1, 10, 5), sell(2, 10, 5), sell(3, 11, 5)]
    outcomes, rests = play(*start, reduce(1, 3), buy(4, 11, 8))
    assert (outcomes[3].status, outcomes[3].cancelled) == (Status.ACCEPTED, 3)
    assert outcomes[4].fills == [(1, 10, 2), (2, 10, 5), (3, 11, 1)]
    assert rests[SELL] == [(11, 4, 3)]


def test_reduce_by_all_that_rests_is_a_cancel(play):
    outcomes, rests = play(buy(1, 10, 5), buy(2, 9, 5), reduce(1, 5), reduce(1, 1))
    assert statuses(outcomes)[2:] == [Status.ACCEPTED, Status.UNKNOWN_ORDER]
    assert (outcomes[2].cancelled, outcomes[3].cancelled) == (5, 0)
    assert rests[BUY] == [(9, 5, 2)]


def test_reduce_by_more_than_rests_changes_nothing(play):
    start = [buy(1, 10, 5), buy(2, 10, 5)]
    outcomes, rests = play(*start, reduce(1, 6), reduce(2, 0), reduce(2, -(2**63)))
    assert statuses(outcomes)[2:] == [Status.BAD_LOTS] * 3
    assert rests == play(*start)[1]


def test_cancel_all_takes_the_accounts_orders_on_both_sides_and_no_others(play):
    start = [buy(1, 10, 1), sell(1, 12, 2, slot=1), buy(2, 10, 3), buy(0, 9, 4)]
    outcomes, rests = play(*start, Tx(Kind.CANCEL_ALL, 1), slots=2)
    assert (outcomes[4].status, outcomes[4].cancelled) == (Status.ACCEPTED, 3)
    assert rests == {BUY: [(10, 3, 4), (9, 4, 0)], SELL: []}


def test_an_order_rests_through_its_last_block_and_not_longer():
    blocks = [[buy(1, 10, 3, expiry=2), buy(2, 9, 1)], [sell(3, 20, 1)], []]
    blocks[2] = [buy(4, 8, 1, expiry=2), cancel(1)]
    for lowering in LOWERINGS:
        book, fills = books.run_blocks(blocks, lowering, capacity=8)
        assert [int(each.expired) for each in fills] == [0, 0, 3]
        assert fills[2].receipt.status[:2].tolist() == [
            Status.EXPIRED,
            Status.UNKNOWN_ORDER,
        ]
        assert books.resting(book)[BUY] == [(9, 1, 2, 0, 1)]


# --- self-trade prevention ----------------------------------------------------------


def own_in_the_way(flags=0, lots=5):
    start = [sell(1, 10, 2), sell(2, 10, 3), sell(3, 11, 4)]
    return [*start, buy(2, 11, lots, flags, slot=1)]


def test_cancel_oldest_takes_the_resting_order_off_and_goes_on(play):
    outcomes, rests = play(*own_in_the_way(), slots=2)
    assert outcomes[3].fills == [(2, 10, 2), (6, 11, 3)]
    assert (outcomes[3].status, outcomes[3].cancelled) == (Status.FILLED, 3)
    assert rests == {BUY: [], SELL: [(11, 1, 6)]}


def test_an_own_order_that_is_not_reached_stays(play):
    outcomes, rests = play(*own_in_the_way(lots=2), slots=2)
    assert (outcomes[3].status, outcomes[3].cancelled) == (Status.FILLED, 0)
    assert rests[SELL] == [(10, 3, 4), (11, 4, 6)]


def test_cancel_newest_stops_at_its_own_order_and_drops_the_rest(play):
    mode = SelfTrade.CANCEL_NEWEST
    outcomes, rests = play(*own_in_the_way(), slots=2, mode=mode)
    assert outcomes[3].fills == [(2, 10, 2)]
    assert outcomes[3].status == Status.PARTIAL
    assert rests == {BUY: [], SELL: [(10, 3, 4), (11, 4, 6)]}


def test_cancel_newest_that_fills_nothing_is_a_reject(play):
    mode = SelfTrade.CANCEL_NEWEST
    outcomes, rests = play(sell(2, 10, 3), buy(2, 10, 5, slot=1), slots=2, mode=mode)
    assert outcomes[1].status == Status.SELF_TRADE
    assert rests == {BUY: [], SELL: [(10, 3, 4)]}


def test_decrement_shrinks_both_by_the_smaller(play):
    mode = SelfTrade.DECREMENT
    outcomes, rests = play(*own_in_the_way(lots=4), slots=2, mode=mode)
    assert outcomes[3].fills == [(2, 10, 2)]
    assert (outcomes[3].status, outcomes[3].cancelled) == (Status.PARTIAL, 2)
    assert rests == {BUY: [], SELL: [(10, 1, 4), (11, 4, 6)]}


@pytest.mark.parametrize("mode", SelfTrade)
def test_fill_or_kill_counts_no_lots_of_its_own_account(play, mode):
    outcomes, rests = play(*own_in_the_way(Flag.FOK, 7), slots=2, mode=mode)
    assert outcomes[3].status == Status.CANNOT_FILL
    assert len(rests[SELL]) == 3


# --- bad input ----------------------------------------------------------------------

#: Fields that wrap where somebody adds or multiplies before looking.
EXTREMES = (2**63 - 1, -(2**63), 2**62, -(2**32), 2**32 + 1)

BAD = {
    Status.UNKNOWN_KIND: [
        *(Tx(Kind.DEPOSIT, 1), Tx(-1, 1), Tx(99, 1)),
        *(Tx(kind, 1, side=BUY, ticks=10, lots=1) for kind in EXTREMES),
    ],
    Status.UNKNOWN_ACCOUNT: [
        *(buy(-1, 10, 1), buy(LARGEST, 10, 1), cancel(-1), reduce(-1, 1)),
        *(buy(account, 10, 1) for account in EXTREMES),
        *(Tx(Kind.CANCEL_ALL, account) for account in EXTREMES),
    ],
    Status.UNKNOWN_SLOT: [
        *(buy(1, 10, 1, slot=1), buy(1, 10, 1, slot=-1), cancel(1, 9)),
        *(cancel(3, slot) for slot in EXTREMES),
        *(reduce(3, 1, slot) for slot in EXTREMES),
    ],
    Status.BAD_SIDE: [order(1, side, 10, 1) for side in (0, 2, -2, *EXTREMES)],
    Status.BAD_LOTS: [
        *(buy(1, 10, 0), buy(1, 10, -3), buy(1, 10, LARGEST + 1)),
        *(buy(1, 10, lots) for lots in EXTREMES),
        *(sell(1, 10, lots, Flag.MARKET) for lots in EXTREMES),
        *(reduce(3, lots) for lots in (0, 5, -1, *EXTREMES)),
    ],
    Status.BAD_PRICE: [
        *(buy(1, 0, 1), buy(1, -5, 1), buy(1, 2**40, 1)),
        *(sell(1, ticks, 1) for ticks in EXTREMES),
    ],
    Status.BAD_FLAGS: [
        *(buy(1, 10, 1, flags) for flags in (32, -1, 1 << 40)),
        *(buy(1, 10, 1, flags) for flags in EXTREMES),
        buy(1, 10, 1, Flag.POST_ONLY | Flag.IOC),
        buy(1, 10, 1, Flag.POST_ONLY | Flag.MARKET),
        buy(1, 10, 1, Flag.REDUCE_ONLY),
    ],
    Status.UNKNOWN_ORDER: [cancel(5), reduce(5, 1)],
}


@pytest.mark.parametrize("status", BAD, ids=lambda status: status.name)
def test_bad_input_is_refused_with_its_reason_and_changes_nothing(play, status):
    start = [buy(0, 9, 4), sell(3, 11, 4)]
    outcomes, rests = play(*start, *BAD[status])
    assert statuses(outcomes)[2:] == [status] * len(BAD[status])
    assert rests == play(*start)[1]


# --- the three agree on everything ---------------------------------------------------

messages = st.builds(
    Tx,
    kind=st.sampled_from([Kind.ORDER] * 6 + [1, 2, 2, 3, 4, 4, 9, 9, 9, 0, 5]),
    account=st.integers(0, 2),
    side=st.sampled_from([BUY, SELL]),
    ticks=st.integers(8, 13),
    lots=st.integers(1, 9),
    flags=st.sampled_from([0] * 8 + [1, 2, 2, 4, 4, 16, 10, 8, 3]),
    slot=st.integers(0, SLOTS - 1),
    expiry_block=st.sampled_from([0, 0, 0, 1, 2]),
)
blocks = st.lists(st.lists(messages, max_size=LENGTH), min_size=BLOCKS, max_size=BLOCKS)
many_accounts = st.builds(
    lambda block, shift: [
        [Tx(**{**m.__dict__, "account": (i + shift) % 40}) for i, m in enumerate(b)]
        for b in block
    ],
    blocks,
    st.integers(0, 39),
)


@pytest.mark.parametrize("mode", SelfTrade, ids=lambda mode: mode.name)
@given(blocks=blocks | many_accounts)
@settings(max_examples=60, deadline=None)
def test_both_lowerings_are_the_reference_to_the_bit(mode, blocks):
    options = {"capacity": CAPACITY, "slots": SLOTS, "mode": mode}
    reference, expected = books.run_reference(blocks, **options)
    results = [books.run_blocks(blocks, low, **options) for low in LOWERINGS]
    for book, fills in results:
        assert books.resting(book) == books.reference_resting(reference)
        for (expired, outcomes), each in zip(expected, fills, strict=True):
            assert int(each.expired) == expired
            assert books.outcomes(each, len(outcomes)) == outcomes
    jax.tree.map(np.testing.assert_array_equal, *results)


@given(blocks=blocks | many_accounts, mode=st.sampled_from(SelfTrade))
@settings(max_examples=40, deadline=None)
def test_no_lot_is_created_or_lost(blocks, mode):
    """Lots in = filled + resting + dropped or refused + cancelled; never crossed."""
    book, fills = books.run_blocks(
        blocks, "native", capacity=CAPACITY, slots=SLOTS, mode=mode
    )
    rested = sum(int(each.rested.sum()) for each in fills)
    taken = sum(int(each.receipt.filled_lots.sum()) for each in fills)
    cancelled = sum(int(each.cancelled.sum() + each.expired) for each in fills)
    rests = books.resting(book)
    assert rested == taken + cancelled + book.lots.sum()
    assert not rests[BUY] or not rests[SELL] or rests[BUY][0][0] < rests[SELL][0][0]
    for each, block in zip(fills, blocks, strict=True):
        for row, message in enumerate(block):
            used = int(each.receipt.filled_lots[row] + each.rested[row])
            assert used <= message.lots
            if each.receipt.status[row] >= Status.REJECTED:
                assert used == 0
                assert each.cancelled[row] == 0 or message.kind == Kind.REPLACE


anything = st.sampled_from([0, 1, 2, 3, -1, 31, 32, LARGEST, LARGEST + 1, *EXTREMES])
garbage = st.builds(Tx, *[anything | st.integers(-3, 12)] * len(books.FIELDS))


@given(block=st.lists(garbage | messages, max_size=LENGTH))
@settings(max_examples=100, deadline=None)
def test_hostile_messages_are_the_same_everywhere_and_rejects_change_nothing(block):
    options = {"capacity": CAPACITY, "slots": SLOTS}
    reference, [(_, expected)] = books.run_reference([block], **options)
    for lowering in LOWERINGS:
        book, [fills] = books.run_blocks([block], lowering, **options)
        assert books.outcomes(fills, len(block)) == expected
        assert books.resting(book) == books.reference_resting(reference)
    kept = [m for m, o in zip(block, expected, strict=True) if not is_pure_reject(m, o)]
    again, _ = books.run_reference([kept], **options)
    assert books.reference_resting(again) == books.reference_resting(reference)


def is_pure_reject(message, outcome):
    """Rejected, and not a replacement, which takes its old order off before."""
    return outcome.status >= Status.REJECTED and message.kind != Kind.REPLACE


def test_lanes_do_not_touch_each_other():
    blocks = [[sell(1, 10, 2), buy(2, 10, 5)], [buy(1, 7, 1), cancel(1)], []]
    lanes = [books.transactions(block, 4) for block in blocks]
    txs = jax.tree.map(lambda *columns: jnp.stack(columns), *lanes)
    for lowering in LOWERINGS:

        def run(book, txs, lowering=lowering):
            return match(book, txs, slots=1, lowering=lowering)

        together = jax.jit(jax.vmap(run, (None, 0)))(empty_side_pair(4), txs)
        alone_run = jax.jit(run)
        for lane, alone in enumerate(lanes):
            single = alone_run(empty_side_pair(4), alone)
            mine = jax.tree.map(lambda x, lane=lane: x[lane], together)
            jax.tree.map(np.testing.assert_array_equal, mine, single)


def test_slots_and_capacities_out_of_range_are_named():
    nothing = books.transactions([], 1)
    for slots in (0, -1, LARGEST + 1):
        with pytest.raises(ValueError, match="slots"):
            match(empty_side_pair(2), nothing, slots=slots)
    with pytest.raises(ValueError, match="32768 orders"):
        match(empty_side_pair(1 << 15), nothing, slots=1)


def test_an_unknown_lowering_is_named():
    with pytest.raises(ValueError, match="'gpu'"):
        match(empty_side_pair(2), books.transactions([], 1), slots=1, lowering="gpu")
