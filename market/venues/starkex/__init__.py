"""StarkEx Perpetual (dYdX v3): the rules that its validity proof enforces.

Balances are integers of the assets' resolutions, prices and funding indices 32.32 fixed
point, risk factors 0.32. All are plain ints of any size; what a block reckons with is
:mod:`market.rules.risk_steps`.

    >>> steps = RiskSteps(uppers=(2**128 - 1,), factors=(2**31,))  # one half
    >>> position = Position(collateral=100, balances=(-3,), cached=(0,))
    >>> tv, tr = status(position, prices=(10 * 2**32,), steps=(steps,))
    >>> tv == 70 * 2**32, tr == 15 * 2**64, is_liquidatable(tv, tr)
    (True, True, False)

Only maintenance margin is proven; initial margin is the operator's own business.

Source: starkware-libs/stark-perpetual, ``src/services/perpetual/cairo``, and
starkex-contracts for the escape; the files are named in each module.
"""

from market.venues.starkex.escape import escape_run, escape_value
from market.venues.starkex.funding import (
    apply_funding,
    funded_collateral,
    is_funding_fresh,
    is_funding_tick_valid,
)
from market.venues.starkex.liquidation import (
    check_deleverage,
    check_liquidation,
    deleverage_collateral,
    is_deleverage_maximal,
)
from market.venues.starkex.margin import (
    FXP_32,
    ErrorCode,
    Position,
    RiskSteps,
    check_status,
    check_transition,
    is_deleveragable,
    is_liquidatable,
    is_ratio_kept,
    is_smaller,
    is_well_leveraged,
    risk_factor,
    status,
    total_risk,
    total_value,
)
from market.venues.starkex.oracle import (
    check_oracle_price,
    internal_price,
    is_median,
    is_tick_in_bounds,
)
from market.venues.starkex.orders import LimitOrder, check_fairness, worst_collateral

__all__ = [
    "FXP_32",
    "ErrorCode",
    "LimitOrder",
    "Position",
    "RiskSteps",
    "apply_funding",
    "check_deleverage",
    "check_fairness",
    "check_liquidation",
    "check_oracle_price",
    "check_status",
    "check_transition",
    "deleverage_collateral",
    "escape_run",
    "escape_value",
    "funded_collateral",
    "internal_price",
    "is_deleveragable",
    "is_deleverage_maximal",
    "is_funding_fresh",
    "is_funding_tick_valid",
    "is_liquidatable",
    "is_median",
    "is_ratio_kept",
    "is_smaller",
    "is_tick_in_bounds",
    "is_well_leveraged",
    "risk_factor",
    "status",
    "total_risk",
    "total_value",
    "worst_collateral",
]
