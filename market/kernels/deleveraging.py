"""Deleveraging at the end of a block: losses that neither book nor fund could bear.

Who gives up how much by which rule, and at what price: `market.twin.deleveraging`.

Source: dYdX v4, ``x/clob/keeper/deleveraging``; Hyperliquid's documentation,
"Auto-deleveraging"; for queues and shares `market.rules.ranking` and
`market.rules.allocation`.
"""

from market.kernels.allocation import (
    add_contracts,
    add_pro_rata,
    profit_of,
    score_of,
    take_by_score,
    take_capped,
)
from market.kernels.fills import cancel_orders, change_position
from market.kernels.lane import ALL_MARKETS
from market.kernels.liquidation import bankruptcy_quote
from market.kernels.margin import (
    account_equity,
    account_risk,
    may_move,
)
from market.kernels.matching import cancel_all
from market.kernels.wide import mul_div_floor
from market.native.ffi import kernel
from market.types.limits import LIST_SHIFT, MAX_COUNTERPARTIES
from market.types.specs import Deleveraging

RANDOM_WALK = int(Deleveraging.RANDOM_WALK)
HYPERLIQUID = int(Deleveraging.HYPERLIQUID)
PRO_RATA = int(Deleveraging.PRO_RATA)
CAPPED_PRO_RATA = int(Deleveraging.CAPPED_PRO_RATA)
CONTRACT_PRO_RATA = int(Deleveraging.CONTRACT_PRO_RATA)


@kernel
def deleverage_pending(lane):
    """Goes once through the marks from a random one; drops those that are stale."""
    target, market = _random_mark(lane)
    if target < 0:
        return
    closed = 0
    for _ in range(lane.accounts * lane.markets):
        if lane.adl_pending[target, market] != 0:
            closed += _take_turn(lane, target, market, closed < lane.deleverages)
        market += 1
        if market == lane.markets:
            market, target = 0, target + 1 if target + 1 < lane.accounts else 0


@kernel
def _random_mark(lane):
    """``(account, market)`` of a random mark; -1 without one."""
    pending, count = lane.adl_pending, 0
    for target in range(lane.accounts):
        for market in range(lane.markets):
            count += pending[target, market] != 0
    if count == 0:
        return -1, 0
    left = (lane.seed >> LIST_SHIFT) % count
    for target in range(lane.accounts):
        for market in range(lane.markets):
            if pending[target, market] != 0:
                if left == 0:
                    return target, market
                left -= 1
    return -1, 0


@kernel
def _take_turn(lane, target, market, is_allowed):
    """Deleverages a marked position where that is due; 1 if that closed something."""
    held = lane.position[target, market]
    is_due = held != 0 and account_equity(lane, target) < 0
    if is_due and is_allowed:
        deleverage(lane, target, market)
    left = lane.position[target, market]
    if not is_due or left == 0:
        lane.adl_pending[target, market] = 0
    return 1 if left != held else 0


@kernel
def deleverage(lane, target, market):
    """Closes a position by the venue's rule, as far as that goes."""
    cancel_all(lane, target, ALL_MARKETS)
    if lane.deleveraging == RANDOM_WALK:
        _walk(lane, target, market)
        return
    _allocate(lane, target, market)
    _close_allocated(lane, target, market)
    if lane.deleveraging == HYPERLIQUID:
        _cover_debt(lane, target)


@kernel
def _faces(lane, account, target, market):
    """Whether the account holds the other side."""
    held, other = lane.position[target, market], lane.position[account, market]
    return held != 0 and other != 0 and (other > 0) != (held > 0)


# --- dYdX v4: a random walk ----------------------------------------------------------


@kernel
def _random_holder(lane, target, market):
    """A random holder of the other side; -1 without one."""
    count = 0
    for account in range(lane.accounts):
        count += 1 if _faces(lane, account, target, market) else 0
    if count == 0:
        return -1
    left = lane.seed % count
    for account in range(lane.accounts):
        if _faces(lane, account, target, market):
            if left == 0:
                return account
            left -= 1
    return -1


@kernel
def _walk(lane, target, market):
    """Walks the holders of the other side from a random one until all is closed."""
    position, accounts, looked = lane.position, lane.accounts, 0
    account = _random_holder(lane, target, market)
    if account < 0:
        return
    for _ in range(accounts):
        if looked == MAX_COUNTERPARTIES:
            return
        if _faces(lane, account, target, market):
            looked += 1
            held = position[target, market]
            lots = min(abs(held), abs(position[account, market]))
            _close_against(lane, target, account, market, -lots if held > 0 else lots)
        account = account + 1 if account + 1 < accounts else 0


@kernel
def _close_against(lane, target, other, market, delta):
    """Closes ``delta`` lots of the target against another account, or nothing.

    The same quanta leave one side and reach the other. Both have to pass the transition
    rule. The other side's orders in this market go, since they may have been admitted
    as reductions of a position that is gone.
    """
    held = lane.position[target, market]
    before, before_other = account_risk(lane, target), account_risk(lane, other)
    quote = bankruptcy_quote(lane, market, held, delta, before)
    _shift(lane, target, other, market, delta, quote)
    both = may_move(lane, target, before) and may_move(lane, other, before_other)
    _shift(lane, target, other, market, -delta, -quote)
    if both:
        change_position(lane, target, market, delta, lane.unit[market])
        lane.collateral[target] += quote
        _give_up(lane, other, market, -delta, -quote)


@kernel
def _shift(lane, target, other, market, delta, quote):
    """Moves lots and quanta between two accounts."""
    lane.position[target, market] += delta
    lane.position[other, market] -= delta
    lane.collateral[target] += quote
    lane.collateral[other] -= quote


@kernel
def _give_up(lane, account, market, delta, quote):
    """A counterparty's side of a close."""
    unit, info = lane.unit[market], lane.info
    change_position(lane, account, market, delta, unit)
    lane.collateral[account] += quote
    cancel_orders(lane, account, market)
    info.deleveraged += 1
    info.deleveraged_quote += abs(quote)
    info.deleveraging_loss -= quote + delta * unit


# --- queues and shares ---------------------------------------------------------------


@kernel
def _allocate(lane, target, market):
    """Writes how many lots each account gives into the scratch."""
    sizes, weights = lane.shares.most, lane.shares.weight
    taken, rests = lane.shares.taken, lane.shares.rest
    lots, rule = abs(lane.position[target, market]), lane.deleveraging
    taken[:] = 0
    profits = _weigh(lane, target, market)
    if rule == CONTRACT_PRO_RATA:
        add_contracts(sizes, lots, taken, rests)
    elif rule == CAPPED_PRO_RATA:
        left = take_capped(weights, sizes, lots, taken, rests)
        for account in range(lane.accounts):
            weights[account] = sizes[account] - taken[account]
        add_pro_rata(weights, left, taken, rests)
    elif rule == PRO_RATA:
        add_pro_rata(weights if profits > 0 else sizes, lots, taken, rests)
        for account in range(lane.accounts):
            taken[account] = min(taken[account], sizes[account])
    else:
        take_by_score(weights, sizes, lots, taken)


@kernel
def _weigh(lane, target, market):
    """What each can give, and its profit or score; returns the sum of the profits."""
    sizes, weights = lane.shares.most, lane.shares.weight
    is_queue, total = lane.deleveraging < PRO_RATA, 0
    for account in range(lane.accounts):
        sizes[account], weights[account] = 0, 0
        if _faces(lane, account, target, market):
            sizes[account] = abs(lane.position[account, market])
            if is_queue:
                weights[account] = score_of(lane, account, market)
            else:
                weights[account] = max(profit_of(lane, account, market), 0)
                total += weights[account]
    return total


@kernel
def _close_allocated(lane, target, market):
    """Closes what was allocated at one price; the quote is split to the quantum.

    Account i pays the difference of ``floor(quote * lots so far / all lots)``.
    """
    taken = lane.shares.taken
    total = taken.sum()
    if total == 0:
        return
    side = 1 if lane.position[target, market] > 0 else -1
    quote = _closing_quote(lane, target, market, -side * total)
    change_position(lane, target, market, -side * total, lane.unit[market])
    lane.collateral[target] += quote
    so_far, paid = 0, 0
    for other in range(lane.accounts):
        if taken[other] > 0:
            so_far += taken[other]
            reached = mul_div_floor(quote, so_far, total)
            _give_up(lane, other, market, side * taken[other], paid - reached)
            paid = reached


@kernel
def _closing_quote(lane, target, market, delta):
    """Quanta that the closed account gets: at the mark before, or at bankruptcy."""
    if lane.deleveraging == HYPERLIQUID:
        return -delta * lane.previous_mark[market] * lane.multiplier[market]
    risk, held = account_risk(lane, target), lane.position[target, market]
    return bankruptcy_quote(lane, market, held, delta, risk)


@kernel
def _cover_debt(lane, target):
    """The vault pays the debt of an account that has nothing left, as far as it can."""
    vault, collateral = lane.vault, lane.collateral
    if vault < 0 or vault == target or collateral[target] >= 0:
        return
    for market in range(lane.markets):
        if lane.position[target, market] != 0:
            return
    paid = min(-collateral[target], max(account_equity(lane, vault), 0))
    collateral[target] += paid
    collateral[vault] -= paid
    lane.info.backstop_paid += paid
