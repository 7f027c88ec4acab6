"""In which order the compiled forms of a block take their operands and give results.

`market.exchange` hands a block's arrays over by position; these names say what stands
where, for it and for the forms. Each list is part of the compiled programs.
"""

#: Sizes and choices of a venue, static; behind them M multipliers, M isolation flags.
STATIC_FIELDS = (
    "accounts",
    "markets",
    "slots",
    "capacity",
    "messages",
    "self_trade",
    "auction",
    "deleverages",
    "margin",
    "liquidation",
    "cover",
    "gate",
    "deleveraging",
    "vault",
)

#: Arrays of `ExchangeState` and its `BookState` that a block changes.
STATE_FIELDS = (
    "ticks",
    "lots",
    "owner",
    "loss",
    "expiry",
    "came",
    "count",
    "collateral",
    "position",
    "cost",
    "open_lots",
    "open_loss",
    "adl_pending",
    "withdrawn",
    "insurance",
    "fees",
    "paid_in",
    "last",
    "counters",
    "gate_block",
    "cooldown_us",
)

#: Columns of the transactions that a block reads.
TX_FIELDS = (
    "kind",
    "account",
    "market",
    "side",
    "ticks",
    "lots",
    "flags",
    "slot",
    "expiry_block",
)

#: Rows [M] of the venue's parameters; a scalar stands in every column.
PARAM_FIELDS = (
    "initial_margin_ppm",
    "maintenance_fraction_ppm",
    "oi_lower",
    "oi_upper",
    "price_band_ppm",
    "max_order_lots",
    "halted",
    "maker_fee_ppm",
    "taker_fee_ppm",
    "bankruptcy_adjustment_ppm",
    "spread_to_maintenance_ppm",
    "liquidation_max_fee_ppm",
    "liquidator_reward_ppm",
    "liquidation_min_notional",
    "liquidation_max_portion_ppm",
    "liquidation_max_notional",
    "max_open_orders",
    "max_market_orders",
    "liquidation_cooldown_us",
    "cooldown_waits",
    "liquidation_max_insurance",
    "risk_by_balance",
    "transfer_margin_ppm",
)
#: Parameters of S rows [S, M] each, below those.
STEP_FIELDS = ("risk_upper", "risk_factor_ppm")

#: Rows [M] of what a block reports, and below them its scalars in the first column.
INFO_PER_MARKET = ("traded_lots", "traded_quote", "trades", "high", "low")
INFO_SCALARS = (
    "liquidations",
    "liquidated_quote",
    "liquidation_fees",
    "insurance_paid",
    "deleveraged",
    "deleveraged_quote",
    "deleveraging_loss",
    "withdrawn",
    "taken_over",
    "backstop_paid",
)
INFO_FIELDS = INFO_PER_MARKET + INFO_SCALARS
