"""Deleveraging at the end of a block; see `market.kernels.deleveraging`."""

import jax.numpy as jnp
from jax import lax

from market.arrays.allocation import close_allocated
from market.arrays.book import cancel_all, change_position
from market.arrays.lane import Env, Lane, Sizes, any_lane, note, when
from market.arrays.liquidation import bankruptcy_quote
from market.arrays.margin import equity, may_move, risk
from market.kernels import lane as lay
from market.types.limits import GATE_BLOCKS, MAX_COUNTERPARTIES
from market.types.specs import Deleveraging


def deleverage_pending(lane: Lane, env: Env, sizes: Sizes) -> Lane:
    """Deleverages what was marked, up to the bound of a block; drops stale marks."""
    marked = lane.adl_pending.any()
    return when(marked, lambda lane: _walk_marks(lane, env, sizes), lane)


def _walk_marks(lane: Lane, env: Env, sizes: Sizes) -> Lane:
    total = sizes.accounts * sizes.markets
    places = jnp.arange(total)

    def next_mark(lane, after):
        ahead = (lane.adl_pending.reshape(-1) != 0) & (places > after)
        return jnp.where(ahead.any(), jnp.argmax(ahead), total)

    def body(carry):
        lane, place, done = carry
        here = jnp.minimum(place, total - 1)
        target, market = here // sizes.markets, here % sizes.markets
        due = (lane.position[target, market] != 0) & (equity(lane, env, target) < 0)
        due = due & (place < total)
        now = due & (done < sizes.deleverages)
        lane = when(
            now, lambda lane: _deleverage(lane, env, sizes, now, target, market), lane
        )
        left = due & (~now | (lane.position[target, market] != 0))
        kept = jnp.where(left | (place >= total), lane.adl_pending[target, market], 0)
        lane = lane._replace(adl_pending=lane.adl_pending.at[target, market].set(kept))
        return lane, next_mark(lane, place), done + now

    carry = (lane, next_mark(lane, jnp.int64(-1)), jnp.int64(0) * lane.paid_in)
    return lax.while_loop(lambda carry: any_lane(carry[1] < total), body, carry)[0]


def _deleverage(lane: Lane, env: Env, sizes: Sizes, on, target, market) -> Lane:
    """Closes a position by the venue's rule, as far as that goes."""
    everywhere = jnp.ones(sizes.markets, bool)
    lane = cancel_all(lane, on, target, everywhere, sizes.slots)
    if sizes.deleveraging == Deleveraging.RANDOM_WALK:
        return _walk(lane, env, sizes, on, target, market)
    return close_allocated(lane, env, sizes, on, target, market)


def _walk(lane: Lane, env: Env, sizes: Sizes, on, target, market) -> Lane:
    """Walks the holders of the other side from a random one."""
    places = jnp.arange(sizes.accounts)

    def faces(lane):
        held, others = lane.position[target, market], lane.position[:, market]
        return (others != 0) & (held != 0) & ((others > 0) != (held > 0))

    facing = faces(lane)
    rank = jnp.cumsum(facing) - 1
    first = facing & (rank == env.seed % jnp.maximum(facing.sum(), 1))
    start = jnp.argmax(first)
    steps = (places - start) % sizes.accounts

    def next_step(lane, after, looked):
        ahead = jnp.where(faces(lane) & (steps > after), steps, sizes.accounts)
        goes_on = on & (looked < MAX_COUNTERPARTIES)
        return jnp.where(goes_on, ahead.min(), sizes.accounts)

    def body(carry):
        lane, step, looked = carry
        active, other = step < sizes.accounts, (start + step) % sizes.accounts
        lane = _close_against(lane, env, sizes, active, target, other, market)
        looked = looked + active
        return lane, next_step(lane, step, looked), looked

    none = jnp.int64(0) * target
    carry = (lane, next_step(lane, jnp.int64(-1), none), none)
    cond = lambda carry: any_lane(carry[1] < sizes.accounts)  # noqa: E731
    return lax.while_loop(cond, body, carry)[0]


def _shift(lane: Lane, target, other, market, delta, quote) -> Lane:
    """Moves lots and quanta between two accounts."""
    position = lane.position.at[target, market].add(delta)
    collateral = lane.collateral.at[target].add(quote)
    return lane._replace(
        position=position.at[other, market].add(-delta),
        collateral=collateral.at[other].add(-quote),
    )


def _close_against(lane, env, sizes, on, target, other, market) -> Lane:
    """Closes what both hold at the target's bankruptcy price, if both may."""
    held, unit = lane.position[target, market], env.unit[market]
    lots = jnp.minimum(abs(held), abs(lane.position[other, market]))
    delta = jnp.where(held > 0, -lots, lots)
    quote = bankruptcy_quote(env, market, held, delta, risk(lane, env, target))
    moved = _shift(lane, target, other, market, delta, quote)
    on = on & may_move(lane, moved, env, target)
    on = on & may_move(lane, moved, env, other)
    lane = change_position(lane, on, target, market, delta, unit)
    lane = change_position(lane, on, other, market, -delta, unit)
    paid = jnp.where(on, quote, 0)
    lane = _shift(lane, target, other, market, jnp.int64(0), paid)
    here = jnp.arange(sizes.markets) == market
    lane = cancel_all(lane, on, other, here, sizes.slots)
    lane = note(lane, lay.INFO_DELEVERAGED, jnp.where(on, 1, 0))
    lane = note(lane, lay.INFO_DELEVERAGED_QUOTE, abs(paid))
    loss = jnp.where(on, quote + delta * unit, 0)
    return note(lane, lay.INFO_DELEVERAGING_LOSS, loss)


def close_gate(lane: Lane, env: Env) -> Lane:
    """Blocks withdrawals for a while where an account ends with negative equity."""
    negative = (equity(lane, env, slice(None)) < 0).any()
    gate = jnp.where(negative, env.block + GATE_BLOCKS, lane.gate_block)
    return lane._replace(gate_block=gate)
