"""Deleveraging at the end of a block: losses that neither book nor fund could bear.

Who gives up how much by which rule, and at what price: `market.twin.deleveraging`.

Source: dYdX v4, ``x/clob/keeper/deleveraging``; Hyperliquid's documentation,
"Auto-deleveraging"; for queues and shares `market.rules.ranking` and
`market.rules.allocation`.
"""

from market.kernels.allocation import (
    add_floored,
    add_pro_rata,
    profit_of,
    score_of,
    take_by_score,
    take_capped,
)
from market.kernels.fills import cancel_orders, change_position
from market.kernels.lane import (
    ACCOUNTS,
    ADL_PENDING,
    ALL_MARKETS,
    BLOCK,
    CAPACITY_ROW,
    COLLATERAL,
    DELEVERAGES,
    DELEVERAGING,
    GATE_BLOCK,
    INFO_BACKSTOP_PAID,
    INFO_DELEVERAGED,
    INFO_DELEVERAGED_QUOTE,
    INFO_DELEVERAGING_LOSS,
    MARKETS,
    MULTIPLIER,
    POSITION,
    PREVIOUS_MARK,
    REST_ROW,
    SEED,
    SHARE_ROWS,
    SHARES,
    TAKEN_ROW,
    UNIT,
    VAULT,
    WEIGHT_ROW,
    amount,
    information,
    matrix,
    per_position,
    vector,
)
from market.kernels.liquidation import bankruptcy_quote
from market.kernels.margin import (
    account_equity,
    account_risk,
    may_move,
)
from market.kernels.matching import cancel_all
from market.kernels.wide import mul_div_floor
from market.native.ffi import kernel
from market.types.limits import GATE_BLOCKS, MAX_COUNTERPARTIES
from market.types.specs import Deleveraging

RANDOM_WALK = int(Deleveraging.RANDOM_WALK)
HYPERLIQUID = int(Deleveraging.HYPERLIQUID)
PRO_RATA = int(Deleveraging.PRO_RATA)
CAPPED_PRO_RATA = int(Deleveraging.CAPPED_PRO_RATA)
CONTRACT_PRO_RATA = int(Deleveraging.CONTRACT_PRO_RATA)


@kernel
def deleverage_pending(t):
    """Deleverages what was marked, up to the bound of a block; drops stale marks."""
    pending, position = per_position(t, ADL_PENDING), per_position(t, POSITION)
    done = 0
    for target in range(t[ACCOUNTS]):
        for market in range(t[MARKETS]):
            if pending[target, market] == 0:
                continue
            is_due = position[target, market] != 0 and account_equity(t, target) < 0
            if is_due and done == t[DELEVERAGES]:
                continue
            if is_due:
                done += 1
                deleverage(t, target, market)
                is_due = position[target, market] != 0
            if not is_due:
                pending[target, market] = 0


@kernel
def deleverage(t, target, market):
    """Closes a position by the venue's rule, as far as that goes."""
    cancel_all(t, target, ALL_MARKETS)
    if t[DELEVERAGING] == RANDOM_WALK:
        _walk(t, target, market)
        return
    _allocate(t, target, market)
    _close_allocated(t, target, market)
    if t[DELEVERAGING] == HYPERLIQUID:
        _cover_debt(t, target)


@kernel
def _faces(t, account, target, market):
    """Whether the account holds the other side."""
    position = per_position(t, POSITION)
    held, other = position[target, market], position[account, market]
    return held != 0 and other != 0 and (other > 0) != (held > 0)


# --- dYdX v4: a random walk ----------------------------------------------------------


@kernel
def _random_holder(t, target, market):
    """A random holder of the other side; -1 without one."""
    count = 0
    for account in range(t[ACCOUNTS]):
        count += 1 if _faces(t, account, target, market) else 0
    if count == 0:
        return -1
    left = t[SEED] % count
    for account in range(t[ACCOUNTS]):
        if _faces(t, account, target, market):
            if left == 0:
                return account
            left -= 1
    return -1


@kernel
def _walk(t, target, market):
    """Walks the holders of the other side from a random one until all is closed."""
    accounts, position = t[ACCOUNTS], per_position(t, POSITION)
    account, looked = _random_holder(t, target, market), 0
    if account < 0:
        return
    for _ in range(accounts):
        if looked == MAX_COUNTERPARTIES:
            return
        if _faces(t, account, target, market):
            looked += 1
            held = position[target, market]
            lots = min(abs(held), abs(position[account, market]))
            _close_against(t, target, account, market, -lots if held > 0 else lots)
        account = account + 1 if account + 1 < accounts else 0


@kernel
def _close_against(t, target, other, market, delta):
    """Closes ``delta`` lots of the target against another account, or nothing.

    The same quanta leave one side and reach the other. Both have to pass the transition
    rule. The other side's orders in this market go, since they may have been admitted
    as reductions of a position that is gone.
    """
    held = per_position(t, POSITION)[target, market]
    before, before_other = account_risk(t, target), account_risk(t, other)
    quote = bankruptcy_quote(t, market, held, delta, before)
    _shift(t, target, other, market, delta, quote)
    if may_move(t, target, before):
        if may_move(t, other, before_other):
            _shift(t, target, other, market, -delta, -quote)
            _apply(t, target, other, market, delta, quote)
            return
    _shift(t, target, other, market, -delta, -quote)


@kernel
def _shift(t, target, other, market, delta, quote):
    """Moves lots and quanta between two accounts."""
    position = per_position(t, POSITION)
    collateral = vector(t, COLLATERAL, t[ACCOUNTS])
    position[target, market] += delta
    position[other, market] -= delta
    collateral[target] += quote
    collateral[other] -= quote


@kernel
def _apply(t, target, other, market, delta, quote):
    unit = vector(t, UNIT, t[MARKETS])[market]
    change_position(t, target, market, delta, unit)
    vector(t, COLLATERAL, t[ACCOUNTS])[target] += quote
    _give_up(t, other, market, -delta, -quote)


@kernel
def _give_up(t, account, market, delta, quote):
    """A counterparty's side of a close."""
    unit, info = vector(t, UNIT, t[MARKETS])[market], information(t)
    change_position(t, account, market, delta, unit)
    vector(t, COLLATERAL, t[ACCOUNTS])[account] += quote
    cancel_orders(t, account, market)
    info[INFO_DELEVERAGED, 0] += 1
    info[INFO_DELEVERAGED_QUOTE, 0] += abs(quote)
    info[INFO_DELEVERAGING_LOSS, 0] -= quote + delta * unit


# --- queues and shares ---------------------------------------------------------------


@kernel
def _allocate(t, target, market):
    """Writes how many lots each account gives into the scratch."""
    shares = matrix(t, SHARES, SHARE_ROWS, t[ACCOUNTS])
    sizes, weights = shares[CAPACITY_ROW], shares[WEIGHT_ROW]
    taken, rests = shares[TAKEN_ROW], shares[REST_ROW]
    lots, rule = abs(per_position(t, POSITION)[target, market]), t[DELEVERAGING]
    taken[:] = 0
    profits = _weigh(t, target, market, sizes, weights)
    if rule == CONTRACT_PRO_RATA:
        add_floored(sizes, lots, taken, rests)
    elif rule == CAPPED_PRO_RATA:
        left = take_capped(weights, sizes, lots, taken, rests)
        for account in range(t[ACCOUNTS]):
            weights[account] = sizes[account] - taken[account]
        add_pro_rata(weights, left, taken, rests)
    elif rule == PRO_RATA:
        add_pro_rata(weights if profits > 0 else sizes, lots, taken, rests)
        for account in range(t[ACCOUNTS]):
            taken[account] = min(taken[account], sizes[account])
    else:
        take_by_score(weights, sizes, lots, taken)


@kernel
def _weigh(t, target, market, sizes, weights):
    """What each can give, and its profit or score; returns the sum of the weights."""
    position, is_queue = per_position(t, POSITION), t[DELEVERAGING] < PRO_RATA
    total = 0
    for account in range(t[ACCOUNTS]):
        sizes[account], weights[account] = 0, 0
        if _faces(t, account, target, market):
            sizes[account] = abs(position[account, market])
            if is_queue:
                weights[account] = score_of(t, account, market)
            else:
                weights[account] = max(profit_of(t, account, market), 0)
                total += weights[account]
    return total


@kernel
def _close_allocated(t, target, market):
    """Closes what was allocated at one price; the quote is split to the quantum.

    Account i pays the difference of ``floor(quote * lots so far / all lots)``.
    """
    taken = matrix(t, SHARES, SHARE_ROWS, t[ACCOUNTS])[TAKEN_ROW]
    total = taken.sum()
    if total == 0:
        return
    side = 1 if per_position(t, POSITION)[target, market] > 0 else -1
    quote = _closing_quote(t, target, market, -side * total)
    unit = vector(t, UNIT, t[MARKETS])[market]
    change_position(t, target, market, -side * total, unit)
    vector(t, COLLATERAL, t[ACCOUNTS])[target] += quote
    so_far, paid = 0, 0
    for other in range(t[ACCOUNTS]):
        if taken[other] > 0:
            so_far += taken[other]
            reached = mul_div_floor(quote, so_far, total)
            _give_up(t, other, market, side * taken[other], paid - reached)
            paid = reached


@kernel
def _closing_quote(t, target, market, delta):
    """Quanta that the closed account gets: at the mark before, or at bankruptcy."""
    if t[DELEVERAGING] == HYPERLIQUID:
        mark = vector(t, PREVIOUS_MARK, t[MARKETS])[market]
        return -delta * mark * vector(t, MULTIPLIER, t[MARKETS])[market]
    held = per_position(t, POSITION)[target, market]
    return bankruptcy_quote(t, market, held, delta, account_risk(t, target))


@kernel
def _cover_debt(t, target):
    """The vault pays the debt of an account that has nothing left, as far as it can."""
    vault, position = t[VAULT], per_position(t, POSITION)
    collateral = vector(t, COLLATERAL, t[ACCOUNTS])
    if vault < 0 or vault == target or collateral[target] >= 0:
        return
    for market in range(t[MARKETS]):
        if position[target, market] != 0:
            return
    paid = min(-collateral[target], max(account_equity(t, vault), 0))
    collateral[target] += paid
    collateral[vault] -= paid
    information(t)[INFO_BACKSTOP_PAID, 0] += paid


@kernel
def close_gate(t):
    """Blocks withdrawals for a while where an account ends with negative equity."""
    for account in range(t[ACCOUNTS]):
        if account_equity(t, account) < 0:
            amount(t, GATE_BLOCK)[0] = t[BLOCK] + GATE_BLOCKS
            return
