"""Money and contracts change hands: fills and reservations; see `market.kernels.fills`.

What leaves a book without a fill frees what it had reserved, and that is here too.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.arrays.book import close_gaps, resting_side, shifted, taken_side
from market.arrays.lane import INFO_ROW, Env, Lane, any_lane, note
from market.numbers.units import ppm_ceil
from market.numbers.wide import mul_div_floor

_COLUMNS = ("ticks", "lots", "owner", "loss", "expiry", "came")


class Taker(NamedTuple):
    """The incoming side of fills."""

    account: Array
    market: Array
    sign: Array
    fee_ppm: Array


class Sweep(NamedTuple):
    """What a taker does to the orders of the side that it takes from, [C] each."""

    gone: Array  # lots that leave the order
    fills: Array  # bool: they are filled; else self-trade prevention takes them off


class Resting(NamedTuple):
    """An order as it rests, one value for each column of the book."""

    ticks: Array
    lots: Array
    owner: Array
    loss: Array
    expiry: Array
    came: Array


def change_position(lane: Lane, on, account, market, delta, value) -> Lane:
    """Adds lots to positions of different accounts, and to their entry value."""
    held, entry = lane.position[account, market], lane.cost[account, market]
    grown = entry + delta * value
    turned = (held + delta) * value
    share = mul_div_floor(entry, abs(delta), jnp.maximum(abs(held), 1))
    opens = (held == 0) | ((held > 0) == (delta > 0))
    closes = jnp.where(abs(delta) >= abs(held), turned, entry - share)
    cost = jnp.where(on, jnp.where(opens, grown, closes), entry)
    return lane._replace(
        position=lane.position.at[account, market].add(jnp.where(on, delta, 0)),
        cost=lane.cost.at[account, market].set(cost),
    )


def trade(lane: Lane, on, account, market, delta, value, fee_ppm) -> Lane:
    """Sides of a fill: ``delta`` lots at ``value`` quanta each, and their fees."""
    quote = jnp.where(on, delta * value, 0)
    fee = ppm_ceil(abs(quote), fee_ppm)
    lane = change_position(lane, on, account, market, delta, value)
    return lane._replace(
        collateral=lane.collateral.at[account].add(-(quote + fee)),
        fees=lane.fees + fee.sum(),
    )


def reserve(lane: Lane, account, market, side, lots, loss) -> Lane:
    """Books a resting order's lots and worst loss; negative lots release them."""
    return lane._replace(
        open_lots=lane.open_lots.at[account, market, side].add(lots),
        open_loss=lane.open_loss.at[account, market].add(lots * loss),
    )


def record_fill(lane: Lane, on, market, ticks, lots, quote) -> Lane:
    """Counts one fill in what the block reports."""
    lots, quote, one = (jnp.where(on, value, 0) for value in (lots, quote, 1))
    lane = note(lane, "traded_lots", lots, market)
    lane = note(lane, "traded_quote", quote, market)
    lane = note(lane, "trades", one, market)
    info, high, low = lane.info, INFO_ROW["high"], INFO_ROW["low"]
    before = info[low, market]
    lowest = jnp.where(before == 0, ticks, jnp.minimum(before, ticks))
    info = info.at[high, market].max(jnp.where(on, ticks, 0))
    info = info.at[low, market].set(jnp.where(on, lowest, before))
    last = lane.last.at[market].set(jnp.where(on, ticks, lane.last[market]))
    return lane._replace(info=info, last=last)


def apply_events(lane: Lane, env: Env, taker: Taker, sweep: Sweep):
    """Applies what a taker did to the orders of a side, best first.

    Fill by fill, since an account may be met twice and each fill is rounded.

    Returns:
        ``(lane, lots, quote)`` filled.
    """
    market, side = taker.market, taken_side(taker.sign)
    multiplier, accounts = env.multiplier[market], env.sizes.accounts
    fees = jnp.stack([taker.fee_ppm, env.param("maker_fee_ppm", market)])
    count = lane.count[market, side]

    def is_touched(index):
        return (index >= 0) & (sweep.gone[jnp.maximum(index, 0)] > 0)

    def body(carry):
        lane, filled, quote, index = carry
        on, place = is_touched(index), jnp.maximum(index, 0)
        gone = jnp.where(on, sweep.gone[place], 0)
        fills = on & sweep.fills[place]
        ticks = lane.ticks[market, side, place]
        value = ticks * multiplier
        maker = lane.owner[market, side, place] // env.sizes.slots
        loss = lane.loss[market, side, place]
        lane = reserve(lane, maker, market, side, -gone, loss)
        # Where there is no fill the two must differ all the same: both are written.
        other = jnp.where(fills, maker, (taker.account + 1) % accounts)
        pair = jnp.stack([taker.account, other])
        deltas = jnp.stack([taker.sign * gone, -taker.sign * gone])
        lane = trade(lane, fills, pair, market, deltas, value, fees)
        lane = record_fill(lane, fills, market, ticks, gone, gone * value)
        filled = filled + jnp.where(fills, gone, 0)
        quote = quote + jnp.where(fills, gone * value, 0)
        return lane, filled, quote, jnp.where(on, index - 1, -1)

    none = count * 0
    carry = (lane, none, none, count - 1)
    carry = lax.while_loop(lambda carry: any_lane(is_touched(carry[-1])), body, carry)
    lane, filled, quote, _ = carry
    return pop(lane, market, side, sweep.gone), filled, quote


# --- columns of the books ------------------------------------------------------------


def is_present(lane: Lane):
    """Where orders rest: [M, 2, C]."""
    return jnp.arange(lane.ticks.shape[-1]) < lane.count[..., None]


def pop(lane: Lane, market, side, gone) -> Lane:
    """Takes lots [C] off a side's best orders; those without lots go."""
    lots = lane.lots[market, side] - gone
    left = lots > 0
    columns = {
        name: getattr(lane, name).at[market, side].set(jnp.where(left, column, 0))
        for name in _COLUMNS
        for column in [lots if name == "lots" else getattr(lane, name)[market, side]]
    }
    return lane._replace(**columns, count=lane.count.at[market, side].set(left.sum()))


def rest(lane: Lane, on, market, sign, order: Resting) -> tuple[Lane, Array]:
    """Rests an order behind its price's, where there is room; whether there was."""
    side, capacity = resting_side(sign), lane.ticks.shape[-1]
    count = lane.count[market, side]
    on = on & (count < capacity)
    worse = sign * (order.ticks - lane.ticks[market, side]) > 0
    here = (worse & (jnp.arange(capacity) < count)).sum()
    lane = _shift(lane, market, side, jnp.where(on, here, capacity), order)
    return lane, on


def remove(lane: Lane, on, market, side, index) -> Lane:
    """Takes one order off; freeing what it reserved is the caller's business."""
    capacity = lane.ticks.shape[-1]
    return _shift(lane, market, side, jnp.where(on, index, capacity), None)


def _shift(lane: Lane, market, side, place, order: Resting | None) -> Lane:
    """An order comes in, or without one the order goes, at ``place``; C for neither."""
    comes = order is not None
    place, inserts = place[None], jnp.full(1, comes)
    columns = {}
    for index, name in enumerate(_COLUMNS):
        column = getattr(lane, name)
        value = order[index] if comes else 0
        moved = shifted(column[market, side], place, inserts, value)
        columns[name] = column.at[market, side].set(moved)
    change = jnp.where(place[0] < lane.ticks.shape[-1], 1 if comes else -1, 0)
    return lane._replace(**columns, count=lane.count.at[market, side].add(change))


def release(lane: Lane, env: Env, lots) -> Lane:
    """Frees what lots [M, 2, C] of the resting orders reserved."""
    account = lane.owner // env.sizes.slots
    market = jnp.arange(lane.ticks.shape[0])[:, None, None]
    return reserve(lane, account, market, jnp.arange(2)[:, None], -lots, lane.loss)


def drop(lane: Lane, env: Env, drops) -> Lane:
    """Takes the orders ``drops`` [M, 2, C] off the books, with their reservations."""
    lane = release(lane, env, jnp.where(drops, lane.lots, 0))
    return keep(lane, is_present(lane) & ~drops)


def keep(lane: Lane, kept) -> Lane:
    """Closes the gaps of every side where orders [M, 2, C] are not kept."""
    capacity = kept.shape[-1]
    flat = [getattr(lane, name).reshape(-1, capacity) for name in _COLUMNS]
    closed = close_gaps(kept.reshape(-1, capacity), *flat)
    columns = dict(zip(_COLUMNS, (c.reshape(kept.shape) for c in closed), strict=True))
    return lane._replace(**columns, count=kept.sum(axis=-1))


def drop_empty(lane: Lane) -> Lane:
    """Takes orders without lots off; the others keep their priority."""
    return keep(lane, is_present(lane) & (lane.lots > 0))


def cancel_orders(lane: Lane, env: Env, who, markets) -> Lane:
    """Takes all orders of the accounts ``who`` [A] off the books in ``markets`` [M]."""
    mine = is_present(lane) & markets[:, None, None]
    return drop(lane, env, mine & who[lane.owner // env.sizes.slots])


def drop_expired(lane: Lane, env: Env) -> Lane:
    """Takes orders whose last block is past off every book."""
    past = (lane.expiry > 0) & (lane.expiry < env.block)
    return drop(lane, env, is_present(lane) & past)
