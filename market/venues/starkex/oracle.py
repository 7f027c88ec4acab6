"""Oracle prices of StarkEx: conversion of signed prices and the median test.

Source: ``oracle/oracle_price.cairo``, ``transactions/oracle_prices_tick.cairo``.
"""

from collections.abc import Sequence

from market.numbers.refusals import above_zero
from market.venues.starkex.margin import AMOUNT_BOUND, FXP_32, ErrorCode

#: Fixed point unit of external prices.
EXTERNAL_UNIT = 10**18
EXTERNAL_BOUND = 1 << 120


def internal_price(external: int, collateral_resolution: int, resolution: int) -> int:
    """32.32 price in internal units, a half rounded up.

    ``floor((external * resolution_collateral * 2**32 + D/2) / D)`` with
    ``D = resolution_synthetic * 10**18``.

    >>> internal_price(10_000 * 10**18, 10**6, 10**10) / 2**32  # $10,000 a coin
    1.0
    """
    above_zero(resolution=resolution)
    denominator = resolution * EXTERNAL_UNIT
    numerator = external * collateral_resolution * FXP_32
    return (numerator + denominator // 2) // denominator


def is_median(price: int, signed_prices: Sequence[int]) -> bool:
    """Whether at least half of the prices are <= and at least half >= this one.

    With an even number any price between the middle two passes: the operator chooses.

    >>> is_median(15, [10, 20]), is_median(21, [10, 20])
    (True, False)
    """
    count = len(signed_prices)
    at_most = sum(1 for p in signed_prices if p <= price)
    at_least = sum(1 for p in signed_prices if p >= price)
    return count <= 2 * at_most and count <= 2 * at_least


def check_oracle_price(
    price: int,
    signatures: Sequence[tuple[int, int, int]],
    quorum: int,
    collateral_resolution: int,
    resolution: int,
    earliest: int,
    latest: int,
) -> ErrorCode:
    """Whether a price is a median of enough timely prices of distinct signers.

    Args:
      price: internal price, in [1, 2**64).
      signatures: (signer key, external price, timestamp), keys strictly increasing.
      quorum: least number of signatures.
      collateral_resolution: units of the collateral.
      resolution: units of the synthetic asset.
      earliest: system time at the start of the batch minus the validity period.
      latest: system time at the end of the batch.
    """
    keys = [key for key, _, _ in signatures]
    valid = (
        len(signatures) >= quorum
        and 1 <= price < AMOUNT_BOUND
        and all(a < b for a, b in zip([0, *keys], keys, strict=False))
        and all(0 <= external < EXTERNAL_BOUND for _, external, _ in signatures)
        and all(earliest <= time <= latest for _, _, time in signatures)
    )
    internal = [
        internal_price(external, collateral_resolution, resolution)
        for _, external, _ in signatures
    ]
    if not valid or not is_median(price, internal):
        return ErrorCode.INVALID_ASSET_ORACLE_PRICE
    return ErrorCode.SUCCESS


def is_tick_in_bounds(price: int, signed_min: int, signed_max: int) -> bool:
    """Whether an unsigned price tick lies within the batch's signed prices (inclusive).

    Ticks themselves carry no signature: within one batch the operator may choose any
    path between the two.
    """
    return signed_min <= price <= signed_max
