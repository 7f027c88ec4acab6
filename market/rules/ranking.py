"""Who is deleveraged first: the venues' rankings as whole numbers.

The exact ratios stand in `market.rules`. Here each is a product of two quotients in
fixed point, floored after each, so that plain ints, the kernels and arrays give one
number. Of two scores whose exact values differ by more than the floors take (below
``2**-32`` of a unit times the leverage), the larger ranks first; what is over ``2**29``
counts as that. Equal scores rank by account number.

Every function takes plain ints as well as int64 arrays; amounts are quote quanta.

Source: Hyperliquid's documentation, "Auto-deleveraging"; Binance USD-M FAQ; BitMEX,
"Auto-deleveraging".
"""

from market.numbers.units import QUANTA_PER_USD
from market.numbers.wide import IntLike, both, larger, mul_div_floor, select, smaller

#: Fractional bits of a score.
SCORE_BITS = 32
ONE = 1 << SCORE_BITS
#: The largest score, and that of an account without equity.
TOP = 1 << 61


def scaled(a: IntLike, b: IntLike, d: IntLike) -> IntLike:
    """``floor(a * b / d)``, at most `TOP`; a and b >= 0, and d below one counts as one.

    >>> scaled(7, 10, 4), scaled(1 << 60, 1 << 60, 1) == TOP
    (17, True)
    """
    return smaller(mul_div_floor(a, b, larger(d, 1)), TOP)


def hyperliquid_score(
    mark: IntLike,
    entry: IntLike,
    notional: IntLike,
    account_value: IntLike,
    is_short,
    invert_shorts: bool = True,
) -> IntLike:
    """Hyperliquid: ``(mark / entry) * (notional / account value)``.

    The exact ratio is :func:`market.venues.hyperliquid.adl_index`.

    Args:
      mark: mark price in any unit, or the value of the position at it.
      entry: entry price, or the value at it.
      notional: |position| at the mark.
      account_value: equity; where it is not above zero the score is the largest.
      is_short: bool.
      invert_shorts: score shorts by entry / mark, which ranks them by their profit;
        the documented text says mark / entry for both sides.

    >>> hyperliquid_score(120, 100, 120, 60, False) * 100 // ONE  # 1.2 times 2, floored
    239
    """
    is_swapped = both(is_short, invert_shorts)
    above, below = select(is_swapped, entry, mark), select(is_swapped, mark, entry)
    score = scaled(scaled(above, ONE, below), notional, account_value)
    return select(account_value > 0, score, TOP)


def binance_score(
    wallet: IntLike, unrealised: IntLike, maintenance: IntLike
) -> IntLike:
    """Binance USD-M: profit over wallet (of a dollar at least) times the margin ratio.

    Args:
      wallet: the account's balance at entry prices.
      unrealised: its profit on all positions.
      maintenance: its requirement.

    >>> binance_score(1_000_000_000, 500_000_000, 30_000_000) * 100 // ONE
    0
    >>> binance_score(1_000_000_000, 500_000_000, 750_000_000) * 100 // ONE
    25
    """
    profit = scaled(larger(unrealised, 0), ONE, larger(wallet, QUANTA_PER_USD))
    balance = wallet + unrealised
    return select(balance > 0, scaled(profit, maintenance, balance), 0)


def bitmex_score(value: IntLike, cost: IntLike, margin: IntLike) -> IntLike:
    """BitMEX: PnL% times effective leverage, or divided by it for losers.

    Losers rank below `TOP` and winners above it. Without margin the leverage is beyond
    all bounds.

    Args:
      value: signed position at the mark.
      cost: signed position at its entry price.
      margin: value at the mark minus value at the bankruptcy price.

    >>> (bitmex_score(110, 100, 30) - TOP) * 30 // ONE  # 10 % times 110 / 30
    10
    """
    profit = value - cost
    rate = scaled(abs(profit), ONE, abs(cost))
    winner = select(margin > 0, scaled(rate, abs(value), margin), TOP)
    loser = scaled(rate, larger(margin, 0), abs(value))
    return TOP + select(profit > 0, winner, -loser)
