"""Deleveraging at the end of a block; see `market.kernels.deleveraging`."""

import jax.numpy as jnp
from jax import lax

from market.arrays.allocation import allocate
from market.arrays.fills import cancel_orders, change_position
from market.arrays.lane import Env, Index, Lane, any_lane, note, when
from market.arrays.liquidation import bankruptcy_quote
from market.arrays.margin import account_equity, account_risk, may_move
from market.arrays.matching import cancel_all
from market.rules.deleveraging import split_quote
from market.types.limits import LIST_SHIFT, MAX_COUNTERPARTIES
from market.types.specs import Deleveraging


def deleverage_pending(lane: Lane, env: Env) -> Lane:
    """Goes once through the marks from a random one; drops those that are stale."""
    marked = lane.adl_pending.any()
    return when(marked, lambda lane: _walk_marks(lane, env), lane)


def _walk_marks(lane: Lane, env: Env) -> Lane:
    markets, total = env.sizes.markets, env.sizes.accounts * env.sizes.markets
    marked = lane.adl_pending.reshape(-1) != 0
    start = _pick(marked, env.seed >> LIST_SHIFT)
    steps = (jnp.arange(total) - start) % total

    def next_mark(lane, after):
        ahead = (lane.adl_pending.reshape(-1) != 0) & (steps > after)
        return jnp.where(ahead, steps, total).min()

    def body(carry):
        lane, step, closed = carry
        place, is_mark = (start + step) % total, step < total
        target, market = place // markets, place % markets
        held = lane.position[target, market]
        due = is_mark & (held != 0) & (account_equity(lane, env, target) < 0)
        now = due & (closed < env.sizes.deleverages)
        lane = when(now, lambda lane: deleverage(lane, env, now, target, market), lane)
        left = lane.position[target, market]
        kept = (due & (left != 0)) | ~is_mark
        mark = jnp.where(kept, lane.adl_pending[target, market], 0)
        lane = lane._replace(adl_pending=lane.adl_pending.at[target, market].set(mark))
        return lane, next_mark(lane, step), closed + (left != held)

    carry = (lane, next_mark(lane, jnp.int64(-1)), jnp.int64(0) * lane.paid_in)
    return lax.while_loop(lambda carry: any_lane(carry[1] < total), body, carry)[0]


def _pick(among, word):
    """Place of the one that a random word picks among those marked; 0 among none."""
    rank = jnp.cumsum(among) - 1
    return jnp.argmax(among & (rank == word % jnp.maximum(among.sum(), 1)))


def deleverage(lane: Lane, env: Env, on, target, market) -> Lane:
    """Closes a position by the venue's rule, as far as that goes."""
    lane = cancel_all(lane, env, on, target)
    if env.sizes.deleveraging == Deleveraging.RANDOM_WALK:
        return _walk(lane, env, on, target, market)
    lane = _close_allocated(lane, env, on, target, market)
    if env.sizes.deleveraging == Deleveraging.HYPERLIQUID and env.sizes.vault >= 0:
        return _cover_debt(lane, env, on, target)
    return lane


def _faces(lane: Lane, target, market):
    """Which accounts [A] hold the other side."""
    held, others = lane.position[target, market], lane.position[:, market]
    return (others != 0) & (held != 0) & ((others > 0) != (held > 0))


# --- dYdX v4: a random walk ----------------------------------------------------------


def _walk(lane: Lane, env: Env, on, target, market) -> Lane:
    """Walks the holders of the other side from a random one.

    Nothing changes between two closes, so that one look at all holders finds the next
    that may close: as many rounds as there are closes.
    """
    accounts = env.sizes.accounts
    facing = _faces(lane, target, market)
    start = _pick(facing, env.seed)
    steps = (jnp.arange(accounts) - start) % accounts
    order = jnp.zeros(accounts, jnp.int64).at[steps].set(facing)
    looked = jnp.cumsum(order)[steps] <= MAX_COUNTERPARTIES

    def next_step(lane, after):
        able = _faces(lane, target, market) & looked & (steps > after)
        able = on & able & _may_close(lane, env, target, market)
        return jnp.where(able, steps, accounts).min()

    def body(carry):
        lane, step = carry
        active, other = step < accounts, (start + step) % accounts
        lane = _close_against(lane, env, active, target, other, market)
        return lane, next_step(lane, step)

    def goes_on(carry):
        return any_lane(carry[1] < accounts)

    carry = (lane, next_step(lane, jnp.int64(-1)))
    return lax.while_loop(goes_on, body, carry)[0]


def _close_of(lane: Lane, env: Env, target, market, others: Index = slice(None)):
    """What the target and another, or each other, can close: ``(lots, quote)``."""
    held, now = lane.position[target, market], account_risk(lane, env, target)
    lots = jnp.minimum(abs(held), abs(lane.position[others, market]))
    delta = jnp.where(held > 0, -lots, lots)
    return delta, bankruptcy_quote(env, market, held, delta, now)


def _may_close(lane: Lane, env: Env, target, market):
    """Which accounts [A] may close with the target, and it with them."""
    delta, quote = _close_of(lane, env, target, market)
    others = _changed(lane, market, -delta, -quote)
    # The target as it would be after each of the closes.
    rows = jnp.full_like(lane.collateral, target)
    position, collateral = lane.position[rows], lane.collateral[rows]
    targets = lane._replace(position=position, collateral=collateral)
    moved, everyone = _changed(targets, market, delta, quote), slice(None)
    allowed = may_move(targets, moved, env, everyone)
    return allowed & may_move(lane, others, env, everyone)


def _changed(lane: Lane, market, delta, quote) -> Lane:
    """The accounts with lots [A] of a market and quanta [A] more."""
    return lane._replace(
        position=lane.position.at[:, market].add(delta),
        collateral=lane.collateral + quote,
    )


def _close_against(lane: Lane, env: Env, on, target, other, market) -> Lane:
    """Closes what both hold at the target's bankruptcy price."""
    delta, quote = _close_of(lane, env, target, market, other)
    unit, paid = env.unit[market], jnp.where(on, quote, 0)
    lane = change_position(lane, on, target, market, delta, unit)
    lane = change_position(lane, on, other, market, -delta, unit)
    collateral = lane.collateral.at[target].add(paid).at[other].add(-paid)
    lane = lane._replace(collateral=collateral)
    who = on & (jnp.arange(env.sizes.accounts) == other)
    lane = cancel_orders(lane, env, who, jnp.arange(env.sizes.markets) == market)
    lane = note(lane, "deleveraged", jnp.where(on, 1, 0))
    lane = note(lane, "deleveraged_quote", abs(paid))
    return note(lane, "deleveraging_loss", jnp.where(on, quote + delta * unit, 0))


# --- queues and shares ---------------------------------------------------------------


def _close_allocated(lane: Lane, env: Env, on, target, market) -> Lane:
    """Closes what the venue's rule allocates, at one price."""
    side, unit = jnp.sign(lane.position[target, market]), env.unit[market]
    faces = _faces(lane, target, market)
    taken = jnp.where(on, allocate(lane, env, target, market, faces), 0)
    total, gives = taken.sum(), taken > 0
    delta = -side * total
    quote = _closing_quote(lane, env, target, market, delta)
    quote = jnp.where(total > 0, quote, 0)
    parts = split_quote(quote, taken)
    accounts = jnp.arange(env.sizes.accounts)
    lane = change_position(lane, total > 0, target, market, delta, unit)
    lane = change_position(lane, gives, accounts, market, side * taken, unit)
    collateral = (lane.collateral - parts).at[target].add(quote)
    lane = lane._replace(collateral=collateral)
    lane = cancel_orders(lane, env, gives, jnp.arange(env.sizes.markets) == market)
    lane = note(lane, "deleveraged", gives.sum())
    lane = note(lane, "deleveraged_quote", abs(parts).sum())
    return note(lane, "deleveraging_loss", quote + delta * unit)


def _closing_quote(lane: Lane, env: Env, target, market, delta):
    """Quanta that the closed account gets: at the mark before, or at bankruptcy."""
    if env.sizes.deleveraging == Deleveraging.HYPERLIQUID:
        return -delta * env.previous_mark[market] * env.multiplier[market]
    held, now = lane.position[target, market], account_risk(lane, env, target)
    return bankruptcy_quote(env, market, held, delta, now)


def _cover_debt(lane: Lane, env: Env, on, target) -> Lane:
    """The vault pays the debt of an account that has nothing left, as far as it can."""
    vault, is_flat = env.sizes.vault, (lane.position[target] == 0).all()
    able = jnp.maximum(account_equity(lane, env, vault), 0)
    paid = jnp.clip(-lane.collateral[target], 0, able)
    paid = jnp.where(on & is_flat & (target != vault), paid, 0)
    collateral = lane.collateral.at[target].add(paid).at[vault].add(-paid)
    return note(lane._replace(collateral=collateral), "backstop_paid", paid)
