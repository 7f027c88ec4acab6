"""Isolated collateral pools of dYdX v4, and the order of payments that halted it.

Positions in an isolated market are backed by a pool of their own with its own insurance
fund. When a fill closes the last of them, what the account has left moves to the cross
pool. On 10 October 2025 that transfer ran *before* the insurance payment: the whole
open interest was in one liquidation, the account was below zero, the transfer was
negative, and the chain stopped although the fund could pay.

Source: dYdX incident review of 10 October 2025.
"""

from typing import NamedTuple


class Pools(NamedTuple):
    """Where the collateral lies, in quote quanta; the sum never changes.

    Attributes:
      isolated: pool of the isolated market.
      cross: pool of all other accounts.
      insurance: insurance fund of the isolated market.
    """

    isolated: int
    cross: int
    insurance: int


def _transfer_out(pools: Pools, leftover: int) -> Pools:
    """Moves what the account has left to the cross pool."""
    if leftover < 0:
        raise ValueError(
            f"transfer of {leftover} from the isolated to the cross pool is negative"
        )
    return pools._replace(
        isolated=pools.isolated - leftover, cross=pools.cross + leftover
    )


def _insure(pools: Pools, insurance_delta: int) -> Pools:
    """Moves the liquidation fee to the fund, or the fund's payment to the pool."""
    if pools.insurance + insurance_delta < 0:
        raise ValueError(
            f"insurance fund of {pools.insurance} cannot pay {-insurance_delta}"
        )
    return pools._replace(
        isolated=pools.isolated - insurance_delta,
        insurance=pools.insurance + insurance_delta,
    )


def close_isolated_position(
    pools: Pools, quote_after_fill: int, insurance_delta: int
) -> tuple[Pools, int]:
    """Applies the fill that closes an isolated position: the fund first, then the rest.

    Args:
      pools: before the fill; the account's quote is in the isolated pool.
      quote_after_fill: balance of the account after the fill, before insurance.
      insurance_delta: what the fund receives; negative: what it pays.

    Returns:
      Pools afterwards and the account's balance, now in the cross pool.

    Raises:
      ValueError: if the fund cannot pay, or the account ends below zero all the same.
    """
    pools = _insure(pools, insurance_delta)
    leftover = quote_after_fill - insurance_delta
    return _transfer_out(pools, leftover), leftover


def faulty_close_isolated_position(
    pools: Pools, quote_after_fill: int, insurance_delta: int
) -> tuple[Pools, int]:
    """The order that halted the chain: the transfer is checked before the fund pays.

    Kept as a fault to inject. Raises on every bankrupt account, whatever the fund has.
    """
    _transfer_out(pools, quote_after_fill)
    return close_isolated_position(pools, quote_after_fill, insurance_delta)
