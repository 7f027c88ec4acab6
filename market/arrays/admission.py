"""Which transactions are well formed and affordable; see `market.kernels.admission`."""

import jax.numpy as jnp
from jax import Array, lax

from market.arrays.book import is_present
from market.arrays.lane import Env, Lane, Order, Txs, any_lane, first_reason
from market.arrays.margin import (
    account_risk,
    with_position,
    worst_case_slack,
    worst_exposure,
)
from market.numbers.units import PPM, ppm_ceil
from market.rules import risk_steps
from market.rules.risk_steps import Standing
from market.types.limits import MAX_NOTIONAL, MAX_ORDER_LOTS, MAX_TICKS
from market.types.orders import ALL_FLAGS, IMMEDIATE, Flag, Kind, Status
from market.types.specs import Cover, Margin


def takes_off(kind: Array) -> Array:
    """Whether a transaction only takes resting lots off a book."""
    return (kind == Kind.CANCEL) | (kind == Kind.CANCEL_ALL) | (kind == Kind.REDUCE)


def check_names(env: Env, tx: Txs) -> Array:
    """0, or the reason why kind, account, market, slot or expiry are bad."""
    kind, sizes = tx.kind, env.sizes
    named = (kind <= Kind.LIQUIDATE) | (kind == Kind.REDUCE)
    is_all, is_liquidation = kind == Kind.CANCEL_ALL, kind == Kind.LIQUIDATE
    lowest = jnp.where(is_all, -1, 0)
    bad_market = (tx.market < lowest) | (tx.market >= sizes.markets)
    bad_target = (tx.slot < 0) | (tx.slot >= sizes.accounts)
    bad_slot = (tx.slot < 0) | (tx.slot >= sizes.slots)
    return first_reason(
        ((kind < Kind.ORDER) | (kind > max(Kind)), Status.UNKNOWN_KIND),
        ((tx.account < 0) | (tx.account >= sizes.accounts), Status.UNKNOWN_ACCOUNT),
        (named & bad_market, Status.UNKNOWN_MARKET),
        (is_liquidation & bad_target, Status.UNKNOWN_ACCOUNT),
        (named & ~is_all & ~is_liquidation & bad_slot, Status.UNKNOWN_SLOT),
        ((tx.expiry_block != 0) & (tx.expiry_block < env.block), Status.EXPIRED),
    )


def has_good_flags(flags: Array) -> Array:
    """Whether the flags are known and do not exclude each other."""
    immediate = flags & IMMEDIATE != 0
    known = flags & ~ALL_FLAGS == 0
    post_only = (flags & Flag.POST_ONLY != 0) & immediate
    return known & ~post_only & ((flags & Flag.REDUCE_ONLY == 0) | immediate)


def limit_of_market_order(price, band_ppm, sign) -> Array:
    """The furthest price inside the band: floor for a buy, ceil for a sale, >= 1."""
    buy = jnp.minimum(price * (PPM + band_ppm) // PPM, MAX_TICKS)
    sell = jnp.maximum(-(-price * (PPM - band_ppm) // PPM), 1)
    return jnp.where(sign > 0, buy, sell)


def check_order(env: Env, order: Order):
    """``(0 or a reason, limit, lots)``; both within bounds even where it is bad."""
    market, flags = order.market, order.flags
    price, band_ppm = env.price[market], env.param("price_band_ppm", market)
    most = jnp.minimum(env.param("max_order_lots", market), MAX_ORDER_LOTS)
    own = jnp.clip(order.ticks, 1, MAX_TICKS)
    is_market = flags & Flag.MARKET != 0
    furthest = limit_of_market_order(price, band_ppm, order.sign)
    limit = jnp.where(is_market, furthest, own)
    lots = jnp.clip(order.lots, 1, MAX_ORDER_LOTS)
    outside = abs(own - price) * PPM > band_ppm * price
    too_much = lots > MAX_NOTIONAL // (limit * env.multiplier[market])
    reason = first_reason(
        (env.param("halted", market) != 0, Status.HALTED),
        ((order.sign != 1) & (order.sign != -1), Status.BAD_SIDE),
        (~has_good_flags(flags), Status.BAD_FLAGS),
        ((order.lots < 1) | (order.lots > most), Status.BAD_LOTS),
        (~is_market & (order.ticks != own), Status.BAD_PRICE),
        (~is_market & outside, Status.PRICE_BAND),
        (too_much, Status.BAD_LOTS),
    )
    return reason, limit, jnp.where(too_much, 1, lots)


def reducible_lots(lane: Lane, order: Order, lots, taken: Array | int = 0) -> Array:
    """Lots of a reduce-only order: at most the position less ``taken``, or 0."""
    held = lane.position[order.account, order.market]
    opposite = (held != 0) & ((held > 0) != (order.sign > 0))
    return jnp.where(opposite, jnp.clip(abs(held) - taken, 0, lots), 0)


def worst_loss(env: Env, market, sign, limit) -> Array:
    """Quanta that one lot filled at its limit loses on the price, with its fee."""
    multiplier = env.multiplier[market]
    against = jnp.maximum(sign * (limit - env.price[market]), 0) * multiplier
    return against + ppm_ceil(limit * multiplier, _fee_bound(env))


def _fee_bound(env: Env) -> Array:
    """The larger of the two fees, not below zero."""
    fees = jnp.maximum(env.param("maker_fee_ppm"), env.param("taker_fee_ppm"))
    return jnp.maximum(fees, 0)


def can_afford(lane: Lane, env: Env, order: Order, loss) -> Array:
    """Initial margin at the worst case, or a reduction that is no riskier.

    Args:
        lane: the lane.
        env: the block.
        order: with the limit and the lots that it would have.
        loss: quanta that each lot loses at that limit.
    """
    account, market, lots = order.account, order.market, order.lots
    buys = order.sign > 0
    buying, selling = jnp.where(buys, lots, 0), jnp.where(buys, 0, lots)
    exposure = worst_exposure(lane, account, market, buying, selling)
    bounded = exposure[market] <= MAX_NOTIONAL // env.unit[market]
    covered = worst_case_slack(lane, env, account, exposure) >= lots * loss
    return bounded & (covered | _reduces_risk(lane, env, order))


def _reduces_risk(lane: Lane, env: Env, order: Order) -> Array:
    account, market, sign, lots = order.account, order.market, order.sign, order.lots
    held = lane.position[account, market]
    resting = lane.open_lots[account, market, jnp.where(sign > 0, 0, 1)]
    opposite = (held != 0) & ((held > 0) != (sign > 0)) & (resting + lots <= abs(held))
    value, now = order.ticks * env.multiplier[market], account_risk(lane, env, account)
    gain = sign * lots * (env.unit[market] - value)
    # A fee is rounded up with each fill, of which there may be one a lot.
    equity = now.equity + gain - lots * ppm_ceil(value, _fee_bound(env))
    required = with_position(env, now, market, held, held + sign * lots)
    new = Standing(equity, *required)
    if env.sizes.cover == Cover.EVERY_BLOCK:
        opposite &= ~has_orders(lane, account)
    if env.sizes.margin == Margin.RISK_STEPS:
        return opposite & risk_steps.is_transition_valid(now, new, jnp.bool_(True))
    flat = (equity >= 0) | (equity >= now.equity)
    kept = risk_steps.is_ratio_kept(now, new)
    return opposite & jnp.where(new.quanta == 0, flat, kept)


def has_orders_in(lane: Lane, account) -> Array:
    """In which markets [M] an order of the account rests or waits."""
    return lane.open_lots[account].sum(axis=-1) > 0


def has_orders(lane: Lane, account) -> Array:
    """Whether an order of the account rests or waits in any market."""
    return has_orders_in(lane, account).any()


def breaks_isolation(lane: Lane, env: Env, account, market) -> Array:
    """Whether the account holds or wants what may not be beside that market."""
    sizes = env.sizes
    if not any(sizes.isolated):
        return jnp.bool_(False)
    isolated = jnp.array(sizes.isolated, bool)
    has = (lane.position[account] != 0) | has_orders_in(lane, account)
    others = jnp.arange(sizes.markets) != market
    apart = isolated | isolated[market]
    # The vault takes over what there is.
    return (others & apart & has).any() & (account != sizes.vault)


# --- how many orders may rest --------------------------------------------------------


def resting_orders(lane: Lane, env: Env, account) -> Array:
    """Orders of the account in all books."""
    mine = lane.owner // env.sizes.slots == account
    return (mine & is_present(lane)).sum()


def has_too_many(
    lane: Lane, env: Env, order: Order, own: Array | int = 0, here: Array | int = 0
) -> Array:
    """Whether one more order passes a limit; ``own`` and ``here`` wait besides."""
    most_here = env.param("max_market_orders", order.market)
    most_own = env.param("max_open_orders", order.market)
    here = here + lane.count[order.market].sum()

    def counted():
        return resting_orders(lane, env, order.account)

    own = own + lax.cond(any_lane(most_own > 0), counted, lambda: most_own * 0)
    crowded = (most_here > 0) & (here >= most_here)
    return crowded | ((most_own > 0) & (own >= most_own))
