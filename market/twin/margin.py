"""Equity and requirements of an account, and what it may do by them.

Two rules of margin (`Margin`). By *fractions* (dYdX v4) the initial requirement is a
share of the notional that rises with open interest, and maintenance a share of the base
initial requirement: two ceilings. By *risk steps* (StarkEx) maintenance is the notional
times a factor that rises with the size of the position, exact to the millionth of a
quantum; the initial fraction is at least that factor.

The formulas are written out here; their sources stand in `market.rules.margin` and
`market.rules.risk_steps`. StarkEx's transition rule is `market.venues.starkex`'s, which
no compiled form uses. An independent twin of dYdX v4's formulas is `market.twin.rules`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from market.numbers.units import PPM, ppm_ceil
from market.twin.lane import Lane, open_loss, open_lots
from market.types.orders import BUY, SELL
from market.types.specs import Margin
from market.venues import starkex


class Standing(NamedTuple):
    """What an account has and has to have.

    Attributes:
        equity: quanta.
        required: maintenance requirement, exact, in millionths of a quantum.
        held: lots by market.
    """

    equity: int
    required: int
    held: tuple[int, ...]

    @property
    def maintenance(self) -> int:
        """The maintenance requirement in quanta, rounded up."""
        return -(-self.required // PPM)


# --- prices of the block -------------------------------------------------------------


def reckon_prices(lane: Lane) -> None:
    """Quanta per lot and initial fractions of this block."""
    pairs = zip(lane.price, lane.multiplier, strict=True)
    lane.unit = [ticks * multiplier for ticks, multiplier in pairs]
    lane.fraction = [_scaled_fraction(lane, market) for market in lane.markets]


def _scaled_fraction(lane: Lane, market: int) -> int:
    """The initial fraction at this open interest, rounded down."""
    base, lower = lane.params.initial_margin_ppm[market], lane.params.oi_lower[market]
    upper = lane.params.oi_upper[market]
    longs = sum(max(held[market], 0) for held in lane.position)
    interest = longs * lane.unit[market]
    if upper == 0 or interest <= lower:
        return base
    if interest >= upper:
        return PPM
    return base + (PPM - base) * (interest - lower) // (upper - lower)


# --- positions -----------------------------------------------------------------------


def risk_factor(lane: Lane, market: int, lots: int) -> int:
    """The factor in ppm of the step that a position of that many lots is in."""
    params = lane.params
    size = abs(lots)
    if not params.risk_by_balance[market]:
        size *= lane.unit[market]
    steps = zip(params.risk_upper[:-1], params.risk_factor_ppm[:-1], strict=True)
    for upper, factor in steps:
        if size <= upper[market]:
            return factor[market]
    return params.risk_factor_ppm[-1][market]


def position_required(lane: Lane, market: int, lots: int) -> int:
    """Maintenance of a position, in millionths of a quantum."""
    notional = abs(lots) * lane.unit[market]
    if lane.spec.margin == Margin.RISK_STEPS:
        return notional * risk_factor(lane, market, lots)
    initial = ppm_ceil(notional, lane.params.initial_margin_ppm[market])
    return PPM * ppm_ceil(initial, lane.params.maintenance_fraction_ppm[market])


def position_maintenance(lane: Lane, market: int, lots: int) -> int:
    """Maintenance of a position in quanta, rounded up."""
    return -(-position_required(lane, market, lots) // PPM)


def initial_fraction(lane: Lane, market: int, lots: int) -> int:
    """Initial fraction of a position; by risk steps at least its risk factor."""
    fraction = lane.fraction[market]
    if lane.spec.margin == Margin.RISK_STEPS:
        return max(fraction, risk_factor(lane, market, lots))
    return fraction


def initial_requirement(lane: Lane, held: Sequence[int]) -> int:
    """Initial requirement of positions, each rounded up."""
    return sum(
        ppm_ceil(abs(lots) * lane.unit[market], initial_fraction(lane, market, lots))
        for market, lots in enumerate(held)
    )


# --- accounts ------------------------------------------------------------------------


def account_equity(lane: Lane, account: int) -> int:
    """Net collateral: balance and positions at the margin price."""
    return account_risk(lane, account).equity


def account_risk(lane: Lane, account: int) -> Standing:
    """The standing of an account, its open orders apart."""
    return _standing(lane, lane.collateral[account], lane.position[account])


def with_position(
    lane: Lane, account: int, market: int, delta: int, quanta: int
) -> Standing:
    """The standing were there ``delta`` lots and ``quanta`` more."""
    held = list(lane.position[account])
    held[market] += delta
    return _standing(lane, lane.collateral[account] + quanta, held)


def _standing(lane: Lane, collateral: int, held: Sequence[int]) -> Standing:
    equity = collateral + sum(n * u for n, u in zip(held, lane.unit, strict=True))
    required = sum(position_required(lane, m, lots) for m, lots in enumerate(held))
    return Standing(equity, required, tuple(held))


def worst_exposure(
    lane: Lane, account: int, market: int, buying: int = 0, selling: int = 0
) -> int:
    """Largest position in lots if all orders of one side fill, and new ones besides."""
    held = lane.position[account][market]
    bought = open_lots(lane, account, market, BUY) + buying
    sold = open_lots(lane, account, market, SELL) + selling
    return max(abs(held + bought), abs(held - sold))


def worst_case_slack(
    lane: Lane, account: int, market: int = 0, buying: int = 0, selling: int = 0
) -> int:
    """Equity over initial requirement with every order filled at its worst.

    Args:
        lane: the exchange.
        account: whose.
        market: where new lots are.
        buying: lots bought besides those of open orders.
        selling: lots sold besides them.
    """
    exposures = [worst_exposure(lane, account, each) for each in lane.markets]
    exposures[market] = worst_exposure(lane, account, market, buying, selling)
    reserved = sum(open_loss(lane, account, each) for each in lane.markets)
    equity = account_equity(lane, account)
    return equity - reserved - initial_requirement(lane, exposures)


def transfer_slack(lane: Lane, account: int) -> int:
    """Equity over the share of all positions' notional that a transfer must leave.

    The notional of each position is rounded up to the quantum; money that open orders
    reserve stays too.
    """
    share = lane.params.transfer_margin_ppm
    slack = account_equity(lane, account)
    for market, lots in enumerate(lane.position[account]):
        slack -= ppm_ceil(abs(lots) * lane.unit[market], share)
        slack -= open_loss(lane, account, market)
    return slack


def maintenance_slack(lane: Lane, account: int) -> int:
    """Equity over maintenance with every order filled at its worst, rounded down."""
    slack = account_equity(lane, account) * PPM
    for market in lane.markets:
        exposure = worst_exposure(lane, account, market)
        slack -= PPM * open_loss(lane, account, market)
        slack -= position_required(lane, market, exposure)
    return slack // PPM


# --- transitions ---------------------------------------------------------------------


def is_no_riskier(before: Standing, after: Standing) -> bool:
    """Whether equity / requirement has not fallen; requirements are positive."""
    return after.equity * before.required >= before.equity * after.required


def may_move(lane: Lane, before: Standing, after: Standing) -> bool:
    """Whether an account may go from one standing to another.

    Initially collateralised afterwards, or: the requirement does not grow and the ratio
    does not fall (both requirements zero: the equity rises; one zero: no).
    """
    if lane.spec.margin == Margin.RISK_STEPS:
        return is_proven(before, after)
    if after.equity >= initial_requirement(lane, after.held):
        return True
    if after.required > before.required:
        return False
    if after.required == 0 or before.required == 0:
        return after.required == before.required and after.equity > before.equity
    return is_no_riskier(before, after)


def is_proven(before: Standing, after: Standing) -> bool:
    """StarkEx: well leveraged, or the ratio kept by an account that holds less."""
    fixed = starkex.FXP_32
    totals = [
        (standing.equity * PPM * fixed, standing.required * fixed * fixed)
        for standing in (before, after)
    ]
    smaller = starkex.is_smaller(before.held, after.held)
    code = starkex.check_transition(*totals[0], *totals[1], smaller)
    return code == starkex.ErrorCode.SUCCESS


def least_equity(before: Standing, required: int) -> int:
    """The least equity that keeps equity / requirement at another requirement."""
    if before.required == 0:
        return before.equity
    return -(-before.equity * required // before.required)
