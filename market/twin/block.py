"""One block of the exchange: every transaction in its order, then deleveraging.

1. Prices of the block are reckoned; orders whose last block is past leave the books;
   where the venue asks for that, orders that are not covered leave too.
2. Transactions in sequence, each meeting the book that the last one left. In an auction
   orders wait meanwhile, and may be taken back until all have come; then one price a
   market.
3. Positions that a liquidation marked are deleveraged, and where the venue has a gate
   it closes on withdrawals (`market.twin.gate`).

What a transaction may change when it is rejected: `market.exchange`.
"""

from market.twin.admission import check_names, takes_off
from market.twin.clearing import clear
from market.twin.cover import drop_undercollateralised
from market.twin.deleveraging import deleverage_pending
from market.twin.fills import drop_expired
from market.twin.funds import deposit, withdraw
from market.twin.gate import close_gate
from market.twin.lane import Fill, Lane, RejectError, Tx, nothing_done
from market.twin.liquidation import liquidate
from market.twin.margin import reckon_prices
from market.twin.matching import cancel, cancel_all, place_order, reduce
from market.twin.rounds import (
    admit_liquidation,
    admit_order,
    cancel_all_in_round,
    cancel_in_round,
    drop_reductions,
    reduce_in_round,
)
from market.twin.staged import admit_staged, liquidate_in_stages
from market.twin.takeover import take_over
from market.types.orders import Kind, Status
from market.types.specs import Liquidation

#: The random word of a block has this many bits.
WORD_BITS = 62


def run_continuous_block(
    lane: Lane, txs: list[Tx], block: int, seed_word: int
) -> list[Fill]:
    """Runs a block in continuous matching; returns what each transaction came to."""
    open_block(lane, block, seed_word)
    fills = run_continuously(lane, txs)
    close_block(lane, txs, fills)
    return fills


def run_auction_block(
    lane: Lane, txs: list[Tx], block: int, seed_word: int
) -> list[Fill]:
    """Runs a block as an auction; returns what each transaction came to."""
    open_block(lane, block, seed_word)
    fills = run_auction(lane, txs)
    close_block(lane, txs, fills)
    return fills


def open_block(lane: Lane, block: int, seed_word: int) -> None:
    """Forgets the last block, reckons prices; expired and uncovered orders leave."""
    lane.block, lane.seed_word = block, seed_word % (1 << WORD_BITS)
    lane.info = nothing_done(len(lane.markets))
    lane.liquidated, lane.waiting = [], []
    lane.set_aside = [0] * len(lane.insurance)
    reckon_prices(lane)
    drop_expired(lane)
    drop_undercollateralised(lane)


def close_block(lane: Lane, txs: list[Tx], fills: list[Fill]) -> None:
    """Counts the outcomes, deleverages what was marked, closes the gate."""
    for tx, fill in zip(txs, fills, strict=True):
        if tx.kind != Kind.NONE:
            lane.counters[fill.status] += 1
    deleverage_pending(lane)
    close_gate(lane)


# --- continuous matching -------------------------------------------------------------


def run_continuously(lane: Lane, txs: list[Tx]) -> list[Fill]:
    """Every transaction in its order."""
    return [execute_one(lane, tx) for tx in txs]


def execute_one(lane: Lane, tx: Tx) -> Fill:
    """Runs one transaction."""
    if tx.kind == Kind.NONE:
        return Fill(Status.NONE)
    try:
        check_names(lane, tx)
        if takes_off(tx.kind):
            return run_cancel(lane, tx)
        if tx.kind == Kind.LIQUIDATE:
            return run_liquidation(lane, tx)
        if tx.kind in (Kind.ORDER, Kind.REPLACE):
            if tx.kind == Kind.REPLACE:
                cancel(lane.books[tx.market], tx.account, tx.slot)
            return place_order(lane, tx)
        return run_transfer(lane, tx)
    except RejectError as reject:
        return Fill(reject.status)


def run_cancel(lane: Lane, tx: Tx) -> Fill:
    """A cancel of one order or of all, or of a part of one."""
    if tx.kind == Kind.CANCEL_ALL:
        cancel_all(lane, tx.account, tx.market)
    elif tx.kind == Kind.REDUCE:
        reduce(lane.books[tx.market], tx.account, tx.slot, tx.lots)
    elif cancel(lane.books[tx.market], tx.account, tx.slot) == 0:
        raise RejectError(Status.UNKNOWN_ORDER)
    return Fill(Status.ACCEPTED)


def run_liquidation(lane: Lane, tx: Tx) -> Fill:
    """A liquidation by the rules of the venue."""
    if lane.spec.liquidation == Liquidation.TAKEOVER:
        return take_over(lane, tx)
    if lane.spec.liquidation == Liquidation.STAGES:
        return liquidate_in_stages(lane, tx)
    return liquidate(lane, tx)


def run_transfer(lane: Lane, tx: Tx) -> Fill:
    """A deposit or a withdrawal."""
    if tx.kind == Kind.DEPOSIT:
        return deposit(lane, tx.account, tx.lots)
    return withdraw(lane, tx.account, tx.lots)


# --- an auction ----------------------------------------------------------------------


def run_auction(lane: Lane, txs: list[Tx]) -> list[Fill]:
    """Every transaction in its order, orders to wait; then one price a market."""
    fills = [admit_one(lane, index, tx) for index, tx in enumerate(txs)]
    clear(lane, fills)
    return fills


def admit_one(lane: Lane, index: int, tx: Tx) -> Fill:
    """What became of a transaction before the price, if it does not wait for that."""
    if tx.kind == Kind.NONE:
        return Fill(Status.NONE)
    try:
        check_names(lane, tx)
        if takes_off(tx.kind):
            return run_cancel_in_round(lane, tx)
        if tx.kind == Kind.LIQUIDATE:
            return admit_any_liquidation(lane, index, tx)
        if tx.kind in (Kind.ORDER, Kind.REPLACE):
            if tx.kind == Kind.REPLACE:
                cancel_in_round(lane, tx.account, tx.market, tx.slot)
            return admit_order(lane, index, tx)
        return run_transfer(lane, tx)
    except RejectError as reject:
        return Fill(reject.status)


def run_cancel_in_round(lane: Lane, tx: Tx) -> Fill:
    """A cancel of one order or of all, or of a part of one; it may wait or rest."""
    if tx.kind == Kind.CANCEL_ALL:
        cancel_all_in_round(lane, tx.account, tx.market)
    elif tx.kind == Kind.REDUCE:
        reduce_in_round(lane, tx.account, tx.market, tx.slot, tx.lots)
    elif not cancel_in_round(lane, tx.account, tx.market, tx.slot):
        raise RejectError(Status.UNKNOWN_ORDER)
    return Fill(Status.ACCEPTED)


def admit_any_liquidation(lane: Lane, index: int, tx: Tx) -> Fill:
    """A liquidation by the rules of the venue, in an auction's block."""
    if lane.spec.liquidation == Liquidation.TAKEOVER:
        return take_over_first(lane, tx)
    if lane.spec.liquidation == Liquidation.STAGES:
        return admit_staged(lane, index, tx)
    return admit_liquidation(lane, index, tx)


def take_over_first(lane: Lane, tx: Tx) -> Fill:
    """A takeover asks no book and does not wait for the price.

    The target's waiting orders go, and the keeper's waiting reductions, since its
    position has changed.
    """
    fill = take_over(lane, tx)
    cancel_all_in_round(lane, tx.slot)
    drop_reductions(lane, tx.account, tx.market)
    return fill
