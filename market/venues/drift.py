"""Drift: how much a liquidator takes over, and bankruptcy shared by all contracts.

Amounts of quote, prices and fees are 1e6-scaled, base 1e9-scaled, margin ratios 1e4.

Source: drift-labs/protocol-v2, ``programs/drift/src/math/liquidation.rs``.
"""

from market.numbers.refusals import above_zero

BASE = 1_000_000_000
PRICE = 1_000_000
#: Margin ratios of 1e4 become 1e6.
MARGIN_RATIO_SCALE = 100
#: What the venue returns when no transfer of base covers the shortage: the largest u64.
NOTHING_COVERS = (1 << 64) - 1


def base_to_cover_shortage(
    shortage: int,
    margin_ratio: int,
    liquidation_fee: int,
    insurance_fee: int,
    price: int,
    quote_price: int = PRICE,
) -> int:
    """Base amount whose transfer covers a margin shortage, rounded down.

    ``shortage * 1e9 // ((price * quote_price // 1e6) * (MR - fee) // 1e6 - price *
    insurance_fee // 1e6)``: a unit of base frees its margin less both fees.

    Args:
      shortage: missing margin, 1e6.
      margin_ratio: 1e4.
      liquidation_fee: liquidator's, 1e6.
      insurance_fee: insurance fund's, 1e6.
      price: oracle price, 1e6.
      quote_price: price of the quote asset, 1e6.

    Returns:
      Base, 1e9; :data:`NOTHING_COVERS` where the fees eat the margin.

    >>> base_to_cover_shortage(10_000_000, 1_000, 0, 0, 100_000_000)
    1000000000
    """
    ratio = margin_ratio * MARGIN_RATIO_SCALE
    if price == 0 or ratio <= liquidation_fee:
        return NOTHING_COVERS
    margin = (price * quote_price // PRICE) * (ratio - liquidation_fee) // PRICE
    freed = margin - price * insurance_fee // PRICE
    return shortage * BASE // freed if freed > 0 else NOTHING_COVERS


def social_loss_rate(loss: int, long_base: int, short_base: int) -> int:
    """Change of the cumulative funding rate that spreads a bankruptcy, rounded up.

    ``ceil(loss * 1e9 / (|long| + |short|))``, charged to longs and shorts alike: a loss
    shared in proportion to contracts.

    Args:
      loss: quote left unpaid, 1e6, >= 0.
      long_base: longs' base, 1e9.
      short_base: shorts' base, 1e9 (signed or not).

    >>> social_loss_rate(7, 2 * 10**9, -(10**9))
    3

    Raises:
      ValueError: nobody holds a contract to share the loss.
    """
    contracts = abs(long_base) + abs(short_base)
    above_zero(contracts=contracts)
    return -(-loss * BASE // contracts)


def social_loss_payment(rate: int, base: int) -> int:
    """What a position pays of a socialised loss, rounded up: whole quote units.

    Rounded against the holder, so that what is collected covers the loss; what is
    collected beyond it is residue.
    """
    return -(-rate * abs(base) // BASE)
