"""Deleveraging rules on plain ints: rankings of venues, and exact allocations.

A ranking says who is first; an allocation says who gives how much. All ratios are exact
fractions; an allocation of whole units sums to what was asked, and says what it left.

    >>> pro_rata([3, 3, 1], 4)
    [2, 2, 0]

Source: BitMEX and MEXC (official ADL pages), Binance USD-M (FAQ formula), Bybit (help
pages), Chitra et al. arXiv 2512.01112 for the pro-rata family.
"""

from collections.abc import Sequence
from fractions import Fraction

from market.numbers.refusals import above_zero, within

# --- rankings ----------------------------------------------------------------------


def effective_leverage(mark_value: int, bankrupt_value: int) -> Fraction:
    """BitMEX: ``|MarkValue| / (MarkValue - BankruptValue)``; values are signed.

    Raises:
      ValueError: the two values are one, so that the leverage is beyond all bounds.
    """
    above_zero(margin=abs(mark_value - bankrupt_value))
    return Fraction(abs(mark_value), mark_value - bankrupt_value)


def bitmex_score(mark_value: int, entry_value: int, bankrupt_value: int) -> Fraction:
    """BitMEX and MEXC: PnL% times effective leverage; losers are divided by it.

    ``PnL% = (MarkValue - EntryValue) / |EntryValue|``. Each side is its own queue, and
    fills are at the bankruptcy price of the liquidated order.

    Args:
      mark_value: signed value of the position at the mark (a short is negative).
      entry_value: signed value at entry.
      bankrupt_value: signed value at the bankruptcy price.

    >>> bitmex_score(110, 100, 80)  # 10 % at a leverage of 110/30
    Fraction(11, 30)

    Raises:
      ValueError: the entry value is zero, or the leverage is unbounded, or a loser
        has none.
    """
    above_zero(entry_value=abs(entry_value))
    profit = Fraction(mark_value - entry_value, abs(entry_value))
    leverage = effective_leverage(mark_value, bankrupt_value)
    if profit > 0:
        return profit * leverage
    above_zero(leverage=abs(leverage))
    return profit / leverage


def binance_margin_ratio(wallet: int, unrealised: int, maintenance: int) -> Fraction:
    """Binance: ``MaintMargin / (wallet + uPnL)``; zero if that is not above zero."""
    balance = wallet + unrealised
    return Fraction(maintenance, balance) if balance > 0 else Fraction(0)


def binance_score(wallet: int, unrealised: int, maintenance: int) -> Fraction:
    """Binance USD-M: leveraged PnL.

    ``max(0, uPnL) / max(1, wallet) * MarginRatio``, amounts in the collateral's unit of
    account (the 1 is one unit of it). A user's quantile is its rank over the number of
    users.

    >>> binance_score(1_000, 500, 30)
    Fraction(1, 100)
    """
    profit = Fraction(max(0, unrealised)) / max(1, wallet)
    return profit * binance_margin_ratio(wallet, unrealised, maintenance)


def bybit_score(mark: int, entry: int, leverage: int, is_long: bool = True) -> Fraction:
    """Bybit: profit ratio times leverage, ``(mark/entry - 1) * leverage``.

    For shorts ``(1 - mark/entry) * leverage``. Third-party description; executed at the
    bankruptcy price (:func:`inverse_bankruptcy_price`).
    """
    above_zero(entry=entry)
    move = Fraction(mark, entry) - 1
    return (move if is_long else -move) * leverage


def inverse_bankruptcy_price(entry: Fraction, leverage: int) -> Fraction:
    """Bankruptcy price of an isolated long of an inverse contract: entry * L / (L + 1).

    >>> float(round(inverse_bankruptcy_price(Fraction("7890.08"), 50), 2))
    7735.37
    """
    above_zero(leverage=leverage)
    return Fraction(entry) * leverage / (leverage + 1)


def round_to_tick(price: Fraction, tick: Fraction, is_up: bool) -> Fraction:
    """A price on the tick grid, rounded up or down.

    >>> float(round_to_tick(Fraction("7735.37"), Fraction("0.5"), is_up=True))
    7735.5
    """
    price, tick = Fraction(price), Fraction(tick)
    above_zero(tick=tick)
    steps = -(-price // tick) if is_up else price // tick
    return steps * tick


def okx_score(return_rate: Fraction, margin_ratio: Fraction) -> Fraction:
    """OKX: return rate over margin ratio."""
    above_zero(margin_ratio=Fraction(margin_ratio))
    return Fraction(return_rate) / Fraction(margin_ratio)


def ranked(scores: Sequence) -> list[int]:
    """Indices by score, largest first; equal scores in the order given.

    >>> ranked([1, 5, 5, 3])
    [1, 2, 3, 0]
    """
    return sorted(range(len(scores)), key=lambda i: -scores[i])


def quantile(rank: int, users: int) -> Fraction:
    """Place in the queue as a share of its length."""
    above_zero(users=users)
    return Fraction(rank, users)


# --- allocations -------------------------------------------------------------------


def in_order(order: Sequence[int], capacity: Sequence[int], amount: int) -> list[int]:
    """A queue: each in turn gives all it has until the amount is met.

    >>> in_order([2, 0, 1], [5, 5, 5], 8)
    [3, 0, 5]
    """
    taken = [0] * len(capacity)
    for index in order:
        within(0, len(capacity) - 1, index=index)
        taken[index] = min(capacity[index], amount)
        amount -= taken[index]
    return taken


def pro_rata(weights: Sequence[int], amount: int) -> list[int]:
    """Shares in proportion to the weights, by largest remainder.

    Each gets the floor of its share; the units left go to the largest remainders, equal
    remainders in the order given. The sum is ``amount``, or zero if all weights are.
    """
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    shares = [amount * w // whole for w in weights]
    remainders = [amount * w % whole for w in weights]
    for index in ranked(remainders)[: amount - sum(shares)]:
        shares[index] += 1
    return shares


def floored(weights: Sequence[int], amount: int) -> tuple[list[int], int]:
    """Contract pro-rata as published: floors only; returns shares and the shortfall.

    >>> floored([3, 3, 1], 4)
    ([1, 1, 0], 2)
    """
    whole = max(sum(weights), 1)
    shares = [amount * w // whole for w in weights]
    return shares, amount - sum(shares)


def contract_pro_rata(sizes: Sequence[int], lots: int) -> list[int]:
    """Contract pro-rata with an end: :func:`floored`, dust by largest remainder.

    Fewer lots than holders are dust. What the floors leave always is, and the published
    rule would leave it with the closed account for ever.

    >>> contract_pro_rata([3, 3, 1], 4), contract_pro_rata([3, 3, 1], 2)
    ([1, 1, 0], [1, 1, 0])
    """
    holders = sum(size > 0 for size in sizes)
    return pro_rata(sizes, lots) if lots < holders else floored(sizes, lots)[0]


def water_level(
    weights: Sequence[int], caps: Sequence[int], amount: int
) -> Fraction | None:
    """The lowest level at which ``sum of min(level * weight, cap)`` is the amount.

    None if the caps of all who have a weight do not add up to it.
    """
    rows = [(w, c) for w, c in zip(weights, caps, strict=True) if w > 0]
    rows.sort(key=lambda row: Fraction(row[1], row[0]))
    left, weight = amount, sum(w for w, _ in rows)
    for w, cap in rows:
        # Rows come in the order in which a rising level reaches their caps.
        if left * w < cap * weight:
            return Fraction(left, weight)
        left, weight = left - cap, weight - w
    if left:
        return None
    return Fraction(rows[-1][1], rows[-1][0]) if rows else Fraction(0)


def capped_pro_rata(
    weights: Sequence[int], caps: Sequence[int], amount: int
) -> tuple[list[int], int]:
    """Pro-rata within caps: ``min(level * weight, cap)``; returns shares and the rest.

    With weights for endowments this is capped pro-rata, with risk-scaled weights the
    RAP rule: both fill water to one level. The unique allocation that minimises
    ``sum of w * f(h / w)`` for every convex f.

    >>> capped_pro_rata([1, 1, 1], [1, 10, 10], 9)
    ([1, 4, 4], 0)
    """
    level = water_level(weights, caps, amount)
    is_full = [
        level is None or level * w >= cap for w, cap in zip(weights, caps, strict=True)
    ]
    is_full = [full and w > 0 for full, w in zip(is_full, weights, strict=True)]
    left = amount - sum(c for c, full in zip(caps, is_full, strict=True) if full)
    weights = [0 if full else w for w, full in zip(weights, is_full, strict=True)]
    shared = pro_rata(weights, max(left, 0))
    pairs = zip(is_full, caps, shared, strict=True)
    taken = [cap if full else share for full, cap, share in pairs]
    return taken, amount - sum(taken)


def haircuts(taken: Sequence[int], endowments: Sequence[int]) -> list[Fraction]:
    """What each gave as a share of what it had; zero where it had nothing."""
    pairs = zip(taken, endowments, strict=True)
    return [Fraction(t, w) if w else Fraction(0) for t, w in pairs]
