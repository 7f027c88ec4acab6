"""Deleveraging at the end of a block: losses that neither book nor fund could bear.

A marked position is closed against holders of the other side, while its account has
negative equity. The list of marks is gone through once a block, in account order from a
random one, until the bound of a block is reached. Only what closes something counts
against that bound: whoever cannot be closed takes nobody's turn. Who gives how much is
`spec.deleveraging`:

- `RANDOM_WALK` (dYdX v4): holders in account order from a random one, at most 500 of
  them; each gives all it has, and only if both sides pass the transition rule.
- The other rules: `market.twin.allocation`. They ask nobody's margin: their venues
  close positions by rank or share whatever becomes of the account.

The price is the bankruptcy price of the closed account, and for `HYPERLIQUID` the mark
of the block before. If that leaves debt there when all its positions are gone, the
vault pays as much as its own equity allows; the rest stays as negative collateral.

Source: dYdX v4, ``x/clob/keeper/deleveraging``, and ``x/clob/keeper/liquidations`` for
the random begin of the list, where the venue counts every try; Hyperliquid's
documentation, "Auto-deleveraging".
"""

from market.twin.allocation import allocate
from market.twin.fills import cancel_orders, change_position
from market.twin.lane import Lane
from market.twin.liquidation import bankruptcy_quote
from market.twin.margin import account_equity, account_risk, may_move, with_position
from market.twin.matching import cancel_all
from market.types.limits import LIST_SHIFT, MAX_COUNTERPARTIES
from market.types.specs import Deleveraging


def deleverage_pending(lane: Lane) -> None:
    """Goes once through the marks from a random one; drops those that are stale."""
    closed = 0
    for target, market in _from_a_random_mark(lane):
        held, equity = lane.position[target][market], account_equity(lane, target)
        if held != 0 and equity < 0 and closed < lane.spec.deleverages_per_block:
            deleverage(lane, target, market)
            closed += lane.position[target][market] != held
        if equity >= 0 or lane.position[target][market] == 0:
            lane.adl_pending[target][market] = 0


def _from_a_random_mark(lane: Lane) -> list[tuple[int, int]]:
    """The marked positions ``(account, market)`` in the order of their turns."""
    marks = [
        (account, market)
        for account in lane.accounts
        for market in lane.markets
        if lane.adl_pending[account][market]
    ]
    start = (lane.seed_word >> LIST_SHIFT) % max(len(marks), 1)
    return marks[start:] + marks[:start]


def deleverage(lane: Lane, target: int, market: int) -> None:
    """Closes a position by the venue's rule, as far as that goes."""
    cancel_all(lane, target)
    if lane.spec.deleveraging == Deleveraging.RANDOM_WALK:
        _walk(lane, target, market)
        return
    _close_allocated(lane, target, market, allocate(lane, target, market))
    if lane.spec.deleveraging == Deleveraging.HYPERLIQUID:
        _cover_debt(lane, target)


# --- dYdX v4: a random walk ----------------------------------------------------------


def _walk(lane: Lane, target: int, market: int) -> None:
    """Walks the holders of the other side from a random one until all is closed."""
    held = lane.position[target][market]
    holders = [a for a in lane.accounts if lane.position[a][market] * held < 0]
    if not holders:
        return
    start = lane.seed_word % len(holders)
    for other in (holders[start:] + holders[:start])[:MAX_COUNTERPARTIES]:
        if lane.position[target][market]:
            _close_against(lane, target, other, market)


def _close_against(lane: Lane, target: int, other: int, market: int) -> None:
    """Closes what both hold at the target's bankruptcy price, if both may move."""
    held = lane.position[target][market]
    lots = min(abs(held), abs(lane.position[other][market]))
    delta = -_sign(held) * lots
    quote = bankruptcy_quote(lane, target, market, delta)
    for account, lots, quanta in ((target, delta, quote), (other, -delta, -quote)):
        after = with_position(lane, account, market, lots, quanta)
        if not may_move(lane, account_risk(lane, account), after):
            return
    change_position(lane, target, market, delta, lane.unit[market])
    lane.collateral[target] += quote
    _give_up(lane, other, market, -delta, -quote)


def _give_up(lane: Lane, account: int, market: int, delta: int, quote: int) -> None:
    """A counterparty's side of a close.

    Its orders in this market go: they may have been admitted as reductions of a
    position that is gone.
    """
    change_position(lane, account, market, delta, lane.unit[market])
    lane.collateral[account] += quote
    cancel_orders(lane, account, market)
    lane.info.deleveraged += 1
    lane.info.deleveraged_quote += abs(quote)
    lane.info.deleveraging_loss -= quote + delta * lane.unit[market]


# --- queues and shares ---------------------------------------------------------------


def _close_allocated(lane: Lane, target: int, market: int, taken: list[int]) -> None:
    """Closes what was allocated at one price; the quote is split to the quantum.

    Account i pays the difference of ``floor(quote * lots so far / all lots)``.
    """
    side, total = _sign(lane.position[target][market]), sum(taken)
    if total == 0:
        return
    quote = _closing_quote(lane, target, market, -side * total)
    change_position(lane, target, market, -side * total, lane.unit[market])
    lane.collateral[target] += quote
    so_far = 0
    for other, lots in enumerate(taken):
        paid = quote * (so_far + lots) // total - quote * so_far // total
        so_far += lots
        if lots:
            _give_up(lane, other, market, side * lots, -paid)


def _closing_quote(lane: Lane, target: int, market: int, delta: int) -> int:
    """Quanta that the closed account gets: at the mark before, or at bankruptcy."""
    if lane.spec.deleveraging == Deleveraging.HYPERLIQUID:
        return -delta * lane.previous_mark[market] * lane.multiplier[market]
    return bankruptcy_quote(lane, target, market, delta)


def _cover_debt(lane: Lane, target: int) -> None:
    """The vault pays the debt of an account that has nothing left, as far as it can."""
    vault, debt = lane.spec.vault, -lane.collateral[target]
    if vault in (-1, target) or debt <= 0 or any(lane.position[target]):
        return
    paid = min(debt, max(account_equity(lane, vault), 0))
    lane.collateral[target] += paid
    lane.collateral[vault] -= paid
    lane.info.backstop_paid += paid


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
