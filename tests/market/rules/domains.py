"""The domain of every documented rule: what each argument may be, as strategies.

A rule without an entry fails `test_domains`. Plain rules take ints of any size; the
bounds of arrays stand in the docstrings of the rules.
"""

from fractions import Fraction

from hypothesis import strategies as st

from market.rules import (
    deleveraging,
    funding,
    liquidation,
    margin,
    ranking,
    risk_steps,
    staged,
)
from market.venues import drift, dydx_v4, hyperliquid, rankings, starkex
from tests.market.ints import below, signed

MONEY, AMOUNT, POSITIVE = signed(60), below(60), below(60, 1)
PPM, BIPS = st.integers(0, 1_000_000), st.integers(0, 10_000)
FLAG, EXPONENT = st.booleans(), st.integers(-12, 12)
RATIO = st.builds(Fraction, POSITIVE, POSITIVE)
NONZERO = MONEY.filter(bool)
HEIGHT = st.none() | AMOUNT


def lists(each, least=0, most=4):
    """Short lists."""
    return st.lists(each, min_size=least, max_size=most)


def pairs(*each):
    """Lists of as many values of each kind: one list a kind."""
    rows = lists(st.tuples(*each), least=1)
    return rows.map(
        lambda rows: tuple(list(column) for column in zip(*rows, strict=True))
    )


# --- records -----------------------------------------------------------------------

TIER = st.builds(margin.Tier, PPM, PPM, AMOUNT, AMOUNT)
RISK = st.builds(margin.Risk, MONEY, AMOUNT, AMOUNT)
RISKY = st.builds(margin.Risk, MONEY, AMOUNT, POSITIVE)
RULES = st.builds(
    liquidation.LiquidationRules,
    *(PPM, st.integers(1_000_000, 5_000_000), below(22), AMOUNT, PPM, AMOUNT, AMOUNT),
)
STAGED = st.builds(staged.StagedRules, AMOUNT, PPM, AMOUNT, st.integers(0, 1))
PERPETUAL = st.builds(
    dydx_v4.Perpetual, st.integers(-12, -4), POSITIVE, EXPONENT, AMOUNT
)
LEVELS = lists(st.tuples(below(40, 1), below(40, 1)))
REQUIRED = st.builds(risk_steps.Required, POSITIVE, st.integers(0, 999_999))
STANDING = st.builds(risk_steps.Standing, MONEY, POSITIVE, st.integers(0, 999_999))
STEPS = st.lists(AMOUNT, min_size=4, max_size=4).map(
    lambda uppers: risk_steps.Steps(tuple(sorted(uppers)), (1, 2, 3, 4))
)
POOLS = st.builds(dydx_v4.Pools, AMOUNT, AMOUNT, AMOUNT)
#: A position, and a part of it that is closed.
PART = st.tuples(NONZERO, PPM).map(
    lambda p: (p[0], -(1 if p[0] > 0 else -1) * max(abs(p[0]) * p[1] // 10**6, 1))
)
FXP = st.integers(1, 2**40)
POSITION = st.builds(
    starkex.Position, MONEY, st.tuples(MONEY, MONEY), st.tuples(MONEY, MONEY)
)
RISKS = st.just(
    (starkex.RiskSteps((2**40, 2**200), (2**28, 2**30)),) * 2,
)
PRICES, MOVES = st.tuples(FXP, FXP), st.tuples(MONEY, MONEY)
ORDER = st.builds(starkex.LimitOrder, FLAG, POSITIVE, POSITIVE, AMOUNT)
RISKY_POSITION = st.builds(
    starkex.Position, MONEY, st.tuples(NONZERO, MONEY), st.tuples(MONEY, MONEY)
)
TIERS = st.lists(below(40, 1), max_size=3, unique=True).map(
    lambda bounds: [
        hyperliquid.MarginTier(bound, 50 - 10 * rank)
        for rank, bound in enumerate([0, *sorted(bounds)])
    ]
)
WEIGHTED = lists(st.tuples(MONEY, AMOUNT), least=1).filter(
    lambda rows: any(weight for _, weight in rows)
)


def split(rows):
    """Columns of a strategy of rows."""
    return rows.map(lambda rows: tuple(list(c) for c in zip(*rows, strict=True)))


def args(*each):
    """Arguments one by one."""
    return st.tuples(*each)


def joined(first, *rest):
    """Arguments of which the first strategy gives several."""
    return st.tuples(first, *rest).map(lambda a: (*a[0], *a[1:]))


MARGIN = {
    margin.equity: args(MONEY, lists(MONEY)),
    margin.initial_fraction_ppm: args(AMOUNT, TIER),
    margin.initial_requirement: args(AMOUNT, PPM, PPM),
    margin.maintenance_requirement: args(AMOUNT, PPM, PPM),
    margin.maintenance_fraction_ppm: args(PPM, PPM),
    margin.position_risk: args(MONEY, AMOUNT, TIER, PPM),
    margin.account_risk: st.tuples(MONEY, pairs(MONEY, AMOUNT, TIER)).map(
        lambda a: (a[0], *a[1])
    ),
    margin.is_initially_collateralised: args(MONEY, AMOUNT),
    margin.is_liquidatable: args(MONEY, AMOUNT),
    margin.compare_risk: args(MONEY, AMOUNT, MONEY, AMOUNT),
    margin.is_valid_transition: args(MONEY, AMOUNT, MONEY, AMOUNT),
    margin.is_update_allowed: args(RISK, RISK),
    margin.open_interest_delta: args(MONEY, MONEY, MONEY, MONEY),
}
LIQUIDATION = {
    liquidation.bankruptcy_quote: args(MONEY, MONEY, MONEY, AMOUNT),
    liquidation.fillable_price: args(NONZERO, MONEY, AMOUNT, MONEY, POSITIVE, RULES),
    liquidation.fillable_spread: args(AMOUNT, MONEY, AMOUNT, RULES),
    liquidation.fillable_ticks: args(
        MONEY, MONEY, AMOUNT, MONEY, AMOUNT, POSITIVE, RULES
    ),
    liquidation.insurance_delta: args(MONEY, MONEY, PPM),
    liquidation.is_within_account_limits: args(MONEY, MONEY, AMOUNT, AMOUNT, RULES),
    liquidation.max_position_notional: args(AMOUNT, RULES),
    liquidation.liquidation_delta: args(MONEY, POSITIVE, AMOUNT, RULES, POSITIVE),
    staged.lots_to_send: args(AMOUNT, AMOUNT, AMOUNT, AMOUNT, STAGED),
    deleveraging.can_deleverage: args(MONEY, FLAG),
    ranking.scaled: args(AMOUNT, AMOUNT, AMOUNT),
    ranking.hyperliquid_score: args(AMOUNT, AMOUNT, AMOUNT, MONEY, FLAG, FLAG),
    ranking.binance_score: args(MONEY, MONEY, AMOUNT),
    ranking.bitmex_score: args(MONEY, MONEY, MONEY),
}
FUNDING = {
    funding.funding_clamp_ppm: args(AMOUNT, PPM, PPM),
    funding.mean_away_from_zero: args(MONEY, MONEY),
    funding.premium_ppm: args(MONEY, AMOUNT, POSITIVE),
    funding.rate_ppm: args(MONEY, MONEY, AMOUNT),
    funding.index_delta: args(MONEY, AMOUNT, POSITIVE),
    funding.funding_payment: pairs(MONEY, MONEY),
}
RISK_STEPS = {
    risk_steps.factor_ppm: args(MONEY, MONEY, STEPS),
    risk_steps.requirement: args(MONEY, PPM),
    risk_steps.add_up: pairs(AMOUNT, st.integers(0, 999_999)),
    risk_steps.is_well_leveraged: args(MONEY, AMOUNT),
    risk_steps.is_liquidatable: args(MONEY, AMOUNT),
    risk_steps.is_ratio_kept: args(STANDING, STANDING),
    risk_steps.is_transition_valid: args(STANDING, STANDING, FLAG),
    risk_steps.least_equity: args(STANDING, REQUIRED),
    risk_steps.close_quote: args(STANDING, REQUIRED, MONEY),
}
DYDX_V4 = {
    dydx_v4.account_risk: args(MONEY, lists(st.tuples(MONEY, PERPETUAL, TIER))),
    dydx_v4.are_withdrawals_blocked: args(AMOUNT, HEIGHT, HEIGHT),
    dydx_v4.average_price_subticks: args(AMOUNT, POSITIVE, EXPONENT),
    dydx_v4.bankruptcy_price: joined(PART, PERPETUAL, TIER, RISK),
    dydx_v4.base_to_quote: args(MONEY, EXPONENT, AMOUNT, EXPONENT),
    dydx_v4.check_transition: args(RISK, RISK),
    dydx_v4.close_isolated_position: args(POOLS, below(60, 1 << 59), below(59)),
    dydx_v4.faulty_close_isolated_position: args(POOLS, below(60, 1 << 59), below(59)),
    dydx_v4.deleveraging_quote: joined(PART, PERPETUAL, TIER, RISK, FLAG),
    dydx_v4.fill_quote: args(AMOUNT, AMOUNT, EXPONENT),
    dydx_v4.fillable_price: args(NONZERO, PERPETUAL, TIER, RISKY, RULES),
    dydx_v4.fillable_price_to_subticks: args(RATIO, FLAG, EXPONENT, POSITIVE),
    dydx_v4.funding_index_delta: args(MONEY, AMOUNT, PERPETUAL),
    dydx_v4.funding_payment: args(lists(st.tuples(MONEY, MONEY, MONEY))),
    dydx_v4.funding_sample: args(lists(MONEY), st.integers(0, 40), st.integers(1, 20)),
    dydx_v4.impact_price_subticks: args(LEVELS, AMOUNT, EXPONENT),
    dydx_v4.initial_margin_ppm: args(TIER, AMOUNT),
    dydx_v4.is_outage: args(AMOUNT),
    dydx_v4.liquidatable_delta: args(MONEY, PERPETUAL, RULES, AMOUNT, POSITIVE),
    dydx_v4.liquidation_insurance_delta: st.tuples(
        PART, POSITIVE, EXPONENT, PERPETUAL, TIER, RISK, RULES
    ).map(lambda a: (a[0][0], abs(a[0][1]), *a[1:])),
    dydx_v4.mul_ppm: args(MONEY, MONEY, FLAG),
    dydx_v4.position_risk: args(MONEY, PERPETUAL, TIER, MONEY, PPM),
    dydx_v4.premium_rate: args(
        lists(MONEY), st.integers(0, 60), PPM, st.integers(1, 60)
    ),
    dydx_v4.premium_vote: args(RATIO, LEVELS, LEVELS, AMOUNT, AMOUNT, EXPONENT),
    dydx_v4.price_to_subticks: args(AMOUNT, EXPONENT, EXPONENT, EXPONENT),
    dydx_v4.quote_to_base: args(MONEY, EXPONENT, POSITIVE, EXPONENT),
    dydx_v4.remove_tails: args(lists(MONEY), PPM),
    dydx_v4.sort_liquidations: args(
        lists(st.tuples(AMOUNT, RATIO, AMOUNT, st.binary(max_size=2)))
    ),
}
STARKEX = {
    starkex.apply_funding: args(POSITION, MOVES),
    starkex.check_deleverage: args(
        POSITION, POSITION, st.integers(0, 1), AMOUNT, AMOUNT, FLAG, PRICES, RISKS
    ),
    starkex.check_fairness: args(ORDER, AMOUNT, AMOUNT, AMOUNT),
    starkex.check_liquidation: args(
        POSITION, st.integers(0, 1), AMOUNT, AMOUNT, FLAG, PRICES, RISKS
    ),
    starkex.check_oracle_price: args(
        AMOUNT,
        lists(st.tuples(AMOUNT, AMOUNT, AMOUNT)),
        st.integers(0, 4),
        POSITIVE,
        POSITIVE,
        AMOUNT,
        AMOUNT,
    ),
    starkex.check_status: args(MONEY, AMOUNT),
    starkex.check_transition: args(MONEY, AMOUNT, MONEY, AMOUNT, FLAG),
    starkex.deleverage_collateral: args(
        RISKY_POSITION, st.integers(0, 1), MONEY, PRICES, RISKS
    ),
    starkex.escape_run: args(lists(MONEY), AMOUNT),
    starkex.escape_value: args(POSITION, PRICES, MOVES),
    starkex.funded_collateral: st.tuples(MONEY, pairs(MONEY, MONEY)).map(
        lambda a: (a[0], *a[1])
    ),
    starkex.internal_price: args(AMOUNT, POSITIVE, POSITIVE),
    starkex.is_deleveragable: args(MONEY),
    starkex.is_deleverage_maximal: args(MONEY, AMOUNT, MONEY, AMOUNT),
    starkex.is_funding_fresh: args(AMOUNT, AMOUNT, AMOUNT),
    starkex.is_funding_tick_valid: args(MONEY, MONEY, AMOUNT, AMOUNT, AMOUNT),
    starkex.is_liquidatable: args(MONEY, AMOUNT),
    starkex.is_median: args(AMOUNT, lists(AMOUNT)),
    starkex.is_ratio_kept: args(MONEY, AMOUNT, MONEY, AMOUNT),
    starkex.is_smaller: pairs(MONEY, MONEY),
    starkex.is_tick_in_bounds: args(AMOUNT, AMOUNT, AMOUNT),
    starkex.is_well_leveraged: args(MONEY, AMOUNT),
    starkex.risk_factor: args(MONEY, FXP, RISKS.map(lambda steps: steps[0])),
    starkex.status: args(POSITION, PRICES, RISKS),
    starkex.total_risk: args(MOVES, PRICES, RISKS),
    starkex.total_value: args(MONEY, MOVES, PRICES),
    starkex.worst_collateral: args(ORDER, AMOUNT),
}
HYPERLIQUID = {
    hyperliquid.account_value: args(MONEY, lists(st.tuples(MONEY, POSITIVE, POSITIVE))),
    hyperliquid.adl_index: args(POSITIVE, POSITIVE, AMOUNT, POSITIVE, FLAG, FLAG),
    hyperliquid.adl_queue: st.tuples(pairs(RATIO, AMOUNT), AMOUNT).map(
        lambda a: (*a[0], a[1])
    ),
    hyperliquid.adl_quote: args(MONEY, POSITIVE, POSITIVE),
    hyperliquid.backstop: args(MONEY, MOVES, st.none() | st.integers(0, 1)),
    hyperliquid.decay_factor: args(AMOUNT, POSITIVE, st.integers(1, 62)),
    hyperliquid.funding_payment: args(MONEY, POSITIVE, MONEY, POSITIVE),
    hyperliquid.hourly_rate: args(MONEY, POSITIVE),
    hyperliquid.initial_margin: args(AMOUNT, POSITIVE),
    hyperliquid.is_adl_due: args(MONEY),
    hyperliquid.liquidation_price: args(
        POSITIVE, FLAG, MONEY, POSITIVE, st.integers(2, 100)
    ),
    hyperliquid.liquidation_size: args(AMOUNT, AMOUNT, MONEY, AMOUNT, FLAG),
    hyperliquid.liquidation_stage: args(MONEY, AMOUNT),
    hyperliquid.maintenance_leverage: args(POSITIVE),
    hyperliquid.maintenance_margin: args(AMOUNT, POSITIVE),
    hyperliquid.margin_available: args(MONEY, AMOUNT),
    hyperliquid.mark_price: args(
        AMOUNT, MONEY, HEIGHT.map(lambda h: None if h is None else [h] * 3), HEIGHT
    ),
    hyperliquid.median: args(lists(MONEY, least=1)),
    hyperliquid.oracle_price: split(WEIGHTED),
    hyperliquid.premium: args(AMOUNT, AMOUNT, POSITIVE, POSITIVE),
    hyperliquid.rate_8h: args(MONEY, POSITIVE),
    hyperliquid.tiered_maintenance: args(AMOUNT, TIERS),
    hyperliquid.transfer_margin: args(AMOUNT, AMOUNT),
    hyperliquid.updated_ema: args(
        st.builds(hyperliquid.Ema, MONEY, AMOUNT), MONEY, AMOUNT, AMOUNT
    ),
    hyperliquid.weighted_median: split(WEIGHTED),
}
RANKINGS = {
    rankings.effective_leverage: st.tuples(MONEY, POSITIVE).map(
        lambda a: (a[0], a[0] - a[1])
    ),
    rankings.bitmex_score: st.tuples(NONZERO, NONZERO, POSITIVE).map(
        lambda a: (a[0], a[1], a[0] - a[2])
    ),
    rankings.binance_margin_ratio: args(MONEY, MONEY, AMOUNT),
    rankings.binance_score: args(MONEY, MONEY, AMOUNT),
    rankings.bybit_score: args(AMOUNT, POSITIVE, POSITIVE, FLAG),
    rankings.inverse_bankruptcy_price: args(RATIO, POSITIVE),
    rankings.round_to_tick: args(RATIO, RATIO, FLAG),
    rankings.okx_score: args(RATIO, RATIO),
    rankings.ranked: args(lists(MONEY)),
    rankings.quantile: args(AMOUNT, POSITIVE),
    rankings.in_order: args(st.permutations([0, 1, 2]), lists(AMOUNT, 3, 3), AMOUNT),
    rankings.pro_rata: args(lists(AMOUNT), AMOUNT),
    rankings.floored: args(lists(AMOUNT), AMOUNT),
    rankings.contract_pro_rata: args(lists(AMOUNT), AMOUNT),
    rankings.water_level: st.tuples(pairs(AMOUNT, AMOUNT), AMOUNT).map(
        lambda a: (*a[0], a[1])
    ),
    rankings.capped_pro_rata: st.tuples(pairs(AMOUNT, AMOUNT), AMOUNT).map(
        lambda a: (*a[0], a[1])
    ),
    rankings.haircuts: pairs(AMOUNT, AMOUNT),
    drift.base_to_cover_shortage: args(AMOUNT, BIPS, PPM, PPM, AMOUNT, AMOUNT),
    drift.social_loss_rate: args(AMOUNT, POSITIVE, MONEY),
    drift.social_loss_payment: args(AMOUNT, MONEY),
}
#: Arguments of every rule that takes plain ints, as they are documented.
DOMAINS = {
    **MARGIN,
    **LIQUIDATION,
    **FUNDING,
    **RISK_STEPS,
    **DYDX_V4,
    **STARKEX,
    **HYPERLIQUID,
    **RANKINGS,
}
