"""Deleveraging at the end of a block: losses that neither book nor fund could bear.

Source: margin page of the reference material, §1.3.
"""

from market.kernels.layout import (
    ACCOUNTS,
    ADL_PENDING,
    ALL_MARKETS,
    BLOCK,
    COLLATERAL,
    DELEVERAGES,
    GATE_BLOCK,
    INFO_DELEVERAGED,
    INFO_DELEVERAGED_QUOTE,
    INFO_DELEVERAGING_LOSS,
    MARKETS,
    POSITION,
    SEED,
    UNIT,
    amount,
    information,
    per_position,
    vector,
)
from market.kernels.liquidation import bankruptcy_quote
from market.kernels.margin import (
    account_equity,
    account_risk,
    initial_requirement,
    may_move,
)
from market.kernels.matching import cancel_all
from market.kernels.settlement import cancel_orders, change_position
from market.native import kernel

#: Blocks without withdrawals after an account with negative equity was seen.
GATE_BLOCKS = 50


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
    """Walks the accounts from a random start until the position is closed."""
    accounts, position = t[ACCOUNTS], per_position(t, POSITION)
    cancel_all(t, target, ALL_MARKETS)
    account = t[SEED] % accounts
    for _ in range(accounts):
        held, other = position[target, market], position[account, market]
        if held == 0:
            return
        if other != 0 and (other > 0) != (held > 0):
            lots = min(abs(held), abs(other))
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
    equity, required = account_risk(t, target)
    equity_other, required_other = account_risk(t, other)
    quote = bankruptcy_quote(t, market, held, delta, equity, required)
    _shift(t, target, other, market, delta, quote)
    if _may_move(t, target, equity, required):
        if _may_move(t, other, equity_other, required_other):
            _shift(t, target, other, market, -delta, -quote)
            _settle(t, target, other, market, delta, quote)
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
def _may_move(t, account, equity_now, required_now):
    equity, required = account_risk(t, account)
    initial = initial_requirement(t, account)
    return may_move(equity, required, initial, equity_now, required_now)


@kernel
def _settle(t, target, other, market, delta, quote):
    unit, info = vector(t, UNIT, t[MARKETS])[market], information(t)
    collateral = vector(t, COLLATERAL, t[ACCOUNTS])
    change_position(t, target, market, delta, unit)
    change_position(t, other, market, -delta, unit)
    collateral[target] += quote
    collateral[other] -= quote
    cancel_orders(t, other, market)
    info[INFO_DELEVERAGED, 0] += 1
    info[INFO_DELEVERAGED_QUOTE, 0] += abs(quote)
    info[INFO_DELEVERAGING_LOSS, 0] += quote + delta * unit


@kernel
def close_gate(t):
    """Blocks withdrawals for a while where an account ends with negative equity."""
    for account in range(t[ACCOUNTS]):
        if account_equity(t, account) < 0:
            amount(t, GATE_BLOCK)[0] = t[BLOCK] + GATE_BLOCKS
            return
