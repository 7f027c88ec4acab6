"""StarkEx Perpetual as dYdX v3 ran it, from friendly numbers.

Source: public market data of dYdX v3 (February 2022) for margin fractions, and its
documentation for fees and funding; starkware-libs/stark-perpetual for the rules.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

import numpy as np

from market.numbers.units import PPM, US_PER_SECOND, as_int, ppm, usd
from market.rules.funding import RATE_CLAMP_PPM, VOTE_CLAMP_PPM
from market.types.specs import (
    RISK_STEPS,
    Cover,
    Gate,
    Liquidation,
    Margin,
    MarketSpec,
    SelfTrade,
    VenueParams,
    VenueSpec,
)
from market.venues.listings import checked_names, market_specs
from market.venues.neutral import trading_numbers, venue_params

#: (initial, maintenance) fraction by market; any other name gets `ALTCOIN`.
FRACTIONS = {"BTC": ("0.05", "0.03"), "ETH": ("0.05", "0.03")}
ALTCOIN = ("0.10", "0.05")
#: Fees of the notional.
MAKER_FEE, TAKER_FEE = "0.0002", "0.0005"
#: How far under the oracle price (over it for a short) a keeper takes a position over
#: that names no price of its own.
LIQUIDATION_FEE = "0.01"
#: The keeper's share of what it gains on the oracle price.
LIQUIDATOR_REWARD = "0.5"
#: The end of a step without one.
_NO_END = 1 << 62


def starkex(
    markets: Sequence[str] = ("BTC", "ETH", "SOL"),
    *,
    accounts: int,
    slots: int = 4,
    book_capacity: int = 256,
    self_trade: SelfTrade = SelfTrade.CANCEL_OLDEST,
    isolated: Collection[str] = (),
    risk_steps: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> tuple[VenueSpec, VenueParams]:
    """A venue with the rules of StarkEx and the margin fractions of dYdX v3.

    The proof knows maintenance margin only: the risk factor. Initial margin, price
    bands and order limits are the operator's business; the operator here admits an
    order by one initial fraction a market, or by the risk factor of the position that
    the account may come to where that is larger. (dYdX raised its fraction with the
    size of the position.)

    The lab's own: the price band, the largest order, the liquidation fee and the
    keeper's share of it (dYdX ran its keeper itself), and what funding is clamped at.

    Args:
        markets: one to eight names; BTC, ETH and SOL have grids of their own.
        accounts: A.
        slots: open orders of one account in one market.
        book_capacity: C, orders on one side of one book.
        self_trade: prevention mode.
        isolated: markets with margin and an insurance fund of their own.
        risk_steps: by market name up to four pairs (largest size, risk factor), both
            rising, the size in the base asset; the last factor holds beyond the last
            size too. Without: one factor, as dYdX.

    Raises:
        ValueError: no market, more than eight, one twice, steps that do not rise, or
            an isolated market that is not among them.
    """
    names = checked_names(markets)
    specs = market_specs(names, isolated)
    spec = VenueSpec(
        margin=Margin.RISK_STEPS,
        liquidation=Liquidation.TAKEOVER,
        cover=Cover.EVERY_BLOCK,
        gate=Gate.NONE,
        markets=specs,
        accounts=accounts,
        slots=slots,
        book_capacity=book_capacity,
        self_trade=self_trade,
        deleverages_per_block=accounts * len(names),
    )
    fractions = [FRACTIONS.get(name, ALTCOIN) for name in names]
    steps = [
        _steps(market, (risk_steps or {}).get(market.name), own)
        for market, (_, own) in zip(specs, fractions, strict=True)
    ]
    return spec, venue_params(
        len(names),
        **_margin_numbers(fractions),
        **_funding_numbers(fractions),
        risk_upper=as_int(np.array([upper for upper, _ in steps]).T),
        risk_factor_ppm=as_int(np.array([factor for _, factor in steps]).T),
        risk_by_balance=as_int([1] * len(names)),
        **trading_numbers(len(names), MAKER_FEE, TAKER_FEE),
        liquidation_max_fee_ppm=as_int(ppm(LIQUIDATION_FEE)),
        liquidator_reward_ppm=as_int(ppm(LIQUIDATOR_REWARD)),
    )


def _steps(market: MarketSpec, steps, factor: str):
    """``(uppers, factors)`` of a market, each [S]."""
    rows = [(_NO_END, ppm(factor))]
    if steps is not None:
        lot = Decimal(market.lot_base)
        rows = [(int(Decimal(size) / lot), ppm(share)) for size, share in steps]
    rises = all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(rows))
    if not 1 <= len(rows) <= RISK_STEPS or not rises or not 1 <= rows[0][1] <= PPM:
        raise ValueError(
            f"risk_steps.{market.name}: one to {RISK_STEPS} pairs (size, factor), both "
            f"rising, factors up to 1; not {steps!r}"
        )
    rows += [(_NO_END, rows[-1][1])] * (RISK_STEPS - len(rows))
    return [upper for upper, _ in rows], [factor for _, factor in rows]


def _margin_numbers(fractions) -> dict:
    """The operator's initial fractions; open interest does not move them."""
    shares = [Decimal(own) / Decimal(first) for first, own in fractions]
    return {
        "initial_margin_ppm": as_int([ppm(first) for first, _ in fractions]),
        "maintenance_fraction_ppm": as_int([ppm(str(share)) for share in shares]),
    }


def _funding_numbers(fractions) -> dict:
    """Hourly funding with the fixed interest of 0.01 % in eight hours."""
    impacts = [usd(str(500 / Decimal(first))) for first, _ in fractions]
    return {
        "funding_interval_us": as_int(3600 * US_PER_SECOND),
        "impact_notional": as_int(impacts),
        "funding_clamp_ppm": as_int(RATE_CLAMP_PPM),
        "premium_clamp_ppm": as_int(VOTE_CLAMP_PPM),
        "funding_default_rate_ppm": as_int([ppm("0.0001")] * len(fractions)),
    }
