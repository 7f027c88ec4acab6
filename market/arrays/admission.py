"""Which transactions are well formed; see `market.kernels.admission`."""

import jax.numpy as jnp
from jax import lax

from market.arrays.book import is_present
from market.arrays.lane import Env, Lane, Sizes, any_lane, first_reason
from market.kernels import admission as rules
from market.numbers.units import PPM
from market.types.limits import MAX_NOTIONAL
from market.types.orders import Kind, Status


def check_names(tx, env: Env, sizes: Sizes):
    """0, or the reason why kind, account, market, slot or expiry are bad."""
    kind = tx.kind
    named = (kind <= Kind.LIQUIDATE) | (kind == Kind.REDUCE)
    is_all, is_liquidation = kind == Kind.CANCEL_ALL, kind == Kind.LIQUIDATE
    lowest = jnp.where(is_all, -1, 0)
    bad_market = (tx.market < lowest) | (tx.market >= sizes.markets)
    bad_target = (tx.slot < 0) | (tx.slot >= sizes.accounts)
    bad_slot = (tx.slot < 0) | (tx.slot >= sizes.slots)
    return first_reason(
        ((kind < Kind.ORDER) | (kind > rules.LAST_KIND), Status.UNKNOWN_KIND),
        ((tx.account < 0) | (tx.account >= sizes.accounts), Status.UNKNOWN_ACCOUNT),
        (named & bad_market, Status.UNKNOWN_MARKET),
        (is_liquidation & bad_target, Status.UNKNOWN_ACCOUNT),
        (named & ~is_all & ~is_liquidation & bad_slot, Status.UNKNOWN_SLOT),
        ((tx.expiry_block != 0) & (tx.expiry_block < env.block), Status.EXPIRED),
    )


def takes_off(kind):
    """Whether a transaction only takes resting lots off a book."""
    return (kind == Kind.CANCEL) | (kind == Kind.CANCEL_ALL) | (kind == Kind.REDUCE)


def moves_money(kind):
    """Whether a transaction is a deposit or a withdrawal."""
    return (kind >= Kind.DEPOSIT) & (kind <= Kind.FORCED_WITHDRAW)


def has_good_flags(flags):
    """Whether the flags are known and do not exclude each other."""
    immediate = flags & rules.IMMEDIATE != 0
    known = flags & ~rules._KNOWN_FLAGS == 0
    post_only = (flags & rules.POST_ONLY != 0) & immediate
    return known & ~post_only & ((flags & rules.REDUCE_ONLY == 0) | immediate)


def check_order(tx, market, env: Env):
    """``(0 or a reason, limit, lots)``; both within bounds even where it is bad."""
    price, band_ppm = env.price[market], env.param("price_band_ppm", market)
    most = jnp.minimum(env.param("max_order_lots", market), rules.MAX_ORDER_LOTS)
    own = jnp.clip(tx.ticks, 1, rules.MAX_TICKS)
    buy = jnp.minimum(price * (PPM + band_ppm) // PPM, rules.MAX_TICKS)
    sell = jnp.maximum(-(-price * (PPM - band_ppm) // PPM), 1)
    is_market = tx.flags & rules.MARKET != 0
    limit = jnp.where(is_market, jnp.where(tx.side > 0, buy, sell), own)
    lots = jnp.clip(tx.lots, 1, rules.MAX_ORDER_LOTS)
    outside = abs(own - price) * PPM > band_ppm * price
    too_much = lots > MAX_NOTIONAL // (limit * env.multiplier[market])
    reason = first_reason(
        (env.param("halted", market) != 0, Status.HALTED),
        ((tx.side != 1) & (tx.side != -1), Status.BAD_SIDE),
        (~has_good_flags(tx.flags), Status.BAD_FLAGS),
        ((tx.lots < 1) | (tx.lots > most), Status.BAD_LOTS),
        (~is_market & (tx.ticks != own), Status.BAD_PRICE),
        (~is_market & outside, Status.PRICE_BAND),
        (too_much, Status.BAD_LOTS),
    )
    return reason, limit, jnp.where(too_much, 1, lots)


def reducible(lane: Lane, account, market, sign, lots, taken=0):
    """Lots of a reduce-only order: at most the position less ``taken``, or 0."""
    held = lane.position[account, market]
    opposite = (held != 0) & ((held > 0) != (sign > 0))
    return jnp.where(opposite, jnp.clip(abs(held) - taken, 0, lots), 0)


def breaks_isolation(lane: Lane, sizes: Sizes, account, market):
    """Whether the account holds or wants what may not be beside that market."""
    if not any(sizes.isolated):
        return jnp.bool_(False)
    isolated = jnp.array(sizes.isolated, bool)
    held, resting = lane.position[account] != 0, lane.open_lots[account].sum(axis=-1)
    others = jnp.arange(sizes.markets) != market
    apart = isolated | isolated[market]
    breaks = (others & apart & (held | (resting > 0))).any()
    return breaks & (account != sizes.vault)  # which takes over what there is


def has_too_many(lane: Lane, env: Env, sizes: Sizes, account, market, own=0, here=0):
    """Whether one more order passes a limit; ``own`` and ``here`` wait besides."""
    most_here = env.param("max_market_orders", market)
    most_own = env.param("max_open_orders", market)
    here = here + lane.count[market].sum()

    def resting(lane):
        first = account * sizes.slots
        named = (lane.owner >= first) & (lane.owner < first + sizes.slots)
        return (named & is_present(lane)).sum()

    def unlimited(lane):
        return lane.count[0, 0] * 0

    own = own + lax.cond(any_lane(most_own > 0), resting, unlimited, lane)
    return ((most_here > 0) & (here >= most_here)) | (
        (most_own > 0) & (own >= most_own)
    )
