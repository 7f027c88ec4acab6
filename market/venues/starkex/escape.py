"""The escape of StarkEx: what a frozen exchange pays, and to whom it runs out.

Source: starkex-contracts ``perpetual/components/PerpetualEscapeVerifier.sol``,
``interactions/AcceptModifications.sol``, ``components/TokenTransfers.sol``.
"""

from collections.abc import Sequence

from market.venues.starkex.margin import FXP_32, Position


def escape_value(
    position: Position, prices: Sequence[int], indices: Sequence[int]
) -> int:
    """Collateral that a frozen exchange owes a position: floored twice.

    ``((collateral << 32) + sum of balance * price + floor32(funding)) >> 32`` with the
    prices and indices of the last accepted state. A value that is not above zero cannot
    escape, and pays nothing.

    >>> escape_value(Position(-10, (3,), (0,)), [5 * 2**32], [2**31])
    3
    """
    value = sum(b * p for b, p in zip(position.balances, prices, strict=True))
    funding = -sum(
        b * (index - cached)
        for b, index, cached in zip(
            position.balances, indices, position.cached, strict=True
        )
    )
    whole_funding = funding >> 32 << 32
    return (position.collateral * FXP_32 + value + whole_funding) >> 32


def escape_run(values: Sequence[int], collateral: int) -> tuple[list[int], int]:
    """First come, first served: who is paid when the contract holds this much.

    A transfer of more than the contract holds reverts as a whole; the next in line may
    still be paid. Positions in debt pay nothing in, so what the others are owed may
    exceed what there is.

    Args:
      values: escape values in the order of arrival.
      collateral: what the contract holds.

    Returns:
      Payments, and what is left in the contract.

    >>> escape_run([5, -3, 6, 2], 8)
    ([5, 0, 0, 2], 1)
    """
    paid = []
    for value in values:
        payment = value if 0 < value <= collateral else 0
        collateral -= payment
        paid.append(payment)
    return paid, collateral
