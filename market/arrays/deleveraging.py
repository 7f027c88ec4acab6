"""Deleveraging at the end of a block; see `market.kernels.deleveraging`."""

import jax.numpy as jnp
from jax import lax

from market.arrays.allocation import allocate
from market.arrays.fills import cancel_orders, change_position
from market.arrays.lane import Env, Lane, any_lane, note, when
from market.arrays.liquidation import bankruptcy_quote
from market.arrays.margin import account_equity, account_risk, may_move
from market.arrays.matching import cancel_all
from market.rules.deleveraging import split_quote
from market.types.limits import GATE_BLOCKS, MAX_COUNTERPARTIES
from market.types.specs import Deleveraging


def deleverage_pending(lane: Lane, env: Env) -> Lane:
    """Deleverages what was marked, up to the bound of a block; drops stale marks."""
    marked = lane.adl_pending.any()
    return when(marked, lambda lane: _walk_marks(lane, env), lane)


def _walk_marks(lane: Lane, env: Env) -> Lane:
    markets, total = env.sizes.markets, env.sizes.accounts * env.sizes.markets
    places = jnp.arange(total)

    def next_mark(lane, after):
        ahead = (lane.adl_pending.reshape(-1) != 0) & (places > after)
        return jnp.where(ahead.any(), jnp.argmax(ahead), total)

    def body(carry):
        lane, place, done = carry
        here = jnp.minimum(place, total - 1)
        target, market = here // markets, here % markets
        due = lane.position[target, market] != 0
        due = due & (account_equity(lane, env, target) < 0) & (place < total)
        now = due & (done < env.sizes.deleverages)
        lane = when(now, lambda lane: deleverage(lane, env, now, target, market), lane)
        left = due & (~now | (lane.position[target, market] != 0))
        kept = jnp.where(left | (place >= total), lane.adl_pending[target, market], 0)
        lane = lane._replace(adl_pending=lane.adl_pending.at[target, market].set(kept))
        return lane, next_mark(lane, place), done + now

    carry = (lane, next_mark(lane, jnp.int64(-1)), jnp.int64(0) * lane.paid_in)
    return lax.while_loop(lambda carry: any_lane(carry[1] < total), body, carry)[0]


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
    """Walks the holders of the other side from a random one."""
    accounts = env.sizes.accounts
    facing = _faces(lane, target, market)
    rank = jnp.cumsum(facing) - 1
    first = facing & (rank == env.seed % jnp.maximum(facing.sum(), 1))
    start = jnp.argmax(first)
    steps = (jnp.arange(accounts) - start) % accounts

    def next_step(lane, after, looked):
        ahead = _faces(lane, target, market) & (steps > after)
        goes_on = on & (looked < MAX_COUNTERPARTIES)
        return jnp.where(goes_on, jnp.where(ahead, steps, accounts).min(), accounts)

    def body(carry):
        lane, step, looked = carry
        active, other = step < accounts, (start + step) % accounts
        lane = _close_against(lane, env, active, target, other, market)
        looked = looked + active
        return lane, next_step(lane, step, looked), looked

    def goes_on(carry):
        return any_lane(carry[1] < accounts)

    none = jnp.int64(0) * target
    carry = (lane, next_step(lane, jnp.int64(-1), none), none)
    return lax.while_loop(goes_on, body, carry)[0]


def _shift(lane: Lane, target, other, market, delta, quote) -> Lane:
    """Moves lots and quanta between two accounts."""
    position = lane.position.at[target, market].add(delta)
    collateral = lane.collateral.at[target].add(quote)
    return lane._replace(
        position=position.at[other, market].add(-delta),
        collateral=collateral.at[other].add(-quote),
    )


def _close_against(lane: Lane, env: Env, on, target, other, market) -> Lane:
    """Closes what both hold at the target's bankruptcy price, if both may."""
    held, unit = lane.position[target, market], env.unit[market]
    lots = jnp.minimum(abs(held), abs(lane.position[other, market]))
    delta, now = jnp.where(held > 0, -lots, lots), account_risk(lane, env, target)
    quote = bankruptcy_quote(env, market, held, delta, now)
    moved = _shift(lane, target, other, market, delta, quote)
    on = on & may_move(lane, moved, env, target)
    on = on & may_move(lane, moved, env, other)
    lane = change_position(lane, on, target, market, delta, unit)
    lane = change_position(lane, on, other, market, -delta, unit)
    paid = jnp.where(on, quote, 0)
    lane = _shift(lane, target, other, market, jnp.int64(0), paid)
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


def close_gate(lane: Lane, env: Env) -> Lane:
    """Blocks withdrawals for a while where an account ends with negative equity."""
    negative = (account_equity(lane, env) < 0).any()
    gate = jnp.where(negative, env.block + GATE_BLOCKS, lane.gate_block)
    return lane._replace(gate_block=gate)
