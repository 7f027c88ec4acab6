"""Finding, inserting, removing and settling orders; see `market.kernels.book`."""

import jax.numpy as jnp
from jax import lax

from market.arrays.lane import Env, Lane, any_lane, sign_of_side
from market.kernels import lane as lay
from market.numbers.units import ppm_ceil
from market.numbers.wide import mul_div_floor
from market.types.specs import SelfTrade

COLUMNS = ("ticks", "lots", "owner", "loss", "expiry", "came")


def _rest(lane: Lane, market, side):
    """The columns of one side [6, C]."""
    return jnp.stack([getattr(lane, name)[market, side] for name in COLUMNS])


def _put(lane: Lane, market, side, rows, count) -> Lane:
    """Writes one side back."""
    columns = {
        name: getattr(lane, name).at[market, side].set(rows[i])
        for i, name in enumerate(COLUMNS)
    }
    return lane._replace(**columns, count=lane.count.at[market, side].set(count))


def find(lane: Lane, market, owner):
    """``(found, side, index)`` of the order of that name in one market."""
    capacity = lane.owner.shape[-1]
    place = jnp.arange(capacity)
    hit = (lane.owner[market] == owner) & (place < lane.count[market][:, None])
    flat = jnp.argmax(hit.reshape(-1))
    return hit.any(), flat // capacity, flat % capacity


def remove(lane: Lane, on, market, side, index) -> Lane:
    """Takes one order off; freeing what it reserved is the caller's business."""
    rows, count = _rest(lane, market, side), lane.count[market, side]
    place = jnp.arange(rows.shape[1])
    next_one = jnp.concatenate([rows[:, 1:], jnp.zeros_like(rows[:, :1])], axis=1)
    moved = jnp.where(on & (place >= index), next_one, rows)
    return _put(lane, market, side, moved, count - on)


def insert(lane: Lane, on, market, side, order) -> tuple[Lane, jnp.ndarray]:
    """Rests an order, a value for each of `COLUMNS`; whether there was room."""
    rows, count = _rest(lane, market, side), lane.count[market, side]
    capacity = rows.shape[1]
    on = on & (count < capacity)
    place = jnp.arange(capacity)
    worse = sign_of_side(side) * (order[0] - rows[0]) > 0
    here = (worse & (place < count)).sum()
    before = jnp.concatenate([jnp.zeros_like(rows[:, :1]), rows[:, :-1]], axis=1)
    new = jnp.stack(order)[:, None]
    moved = jnp.where(place == here, new, jnp.where(place > here, before, rows))
    rows = jnp.where(on, moved, rows)
    return _put(lane, market, side, rows, count + on), on


def keep(lane: Lane, kept) -> Lane:
    """Compacts every side to the orders ``kept`` [M, 2, C], in their order."""
    order = jnp.argsort(~kept, axis=-1, stable=True)
    count = kept.sum(axis=-1)
    present = jnp.arange(kept.shape[-1]) < count[..., None]

    def compact(column):
        return jnp.where(present, jnp.take_along_axis(column, order, -1), 0)

    columns = {name: compact(getattr(lane, name)) for name in COLUMNS}
    return lane._replace(**columns, count=count)


def is_present(lane: Lane):
    """Where orders rest: [M, 2, C]."""
    return jnp.arange(lane.ticks.shape[-1]) < lane.count[..., None]


def cancel(lane: Lane, on, account, market, slot, slots: int):
    """Takes one order off where it rests: ``(lane, found)``."""
    found, side, index = find(lane, market, account * slots + slot)
    lots = jnp.where(on & found, lane.lots[market, side, index], 0)
    return take_off(lane, account, market, side, index, lots), found


def take_off(lane: Lane, account, market, side, index, lots) -> Lane:
    """Takes lots off an order, which goes with the last; without lots, nothing."""
    loss, gone = lane.loss[market, side, index], lots == lane.lots[market, side, index]
    lane = reserve(lane, account, market, side, -lots, loss)
    lane = lane._replace(lots=lane.lots.at[market, side, index].add(-lots))
    return remove(lane, gone & (lots > 0), market, side, index)


def cancel_all(lane: Lane, on, account, markets, slots: int) -> Lane:
    """Takes all orders of an account off the books in ``markets`` [M].

    Slot after slot: compacting whole sides by a sort costs ten times as much.
    """

    def step(name, lane):
        market, slot = name // slots, name % slots
        here = on & markets[market]
        return cancel(lane, here, account, market, slot, slots)[0]

    return lax.fori_loop(0, markets.shape[0] * slots, step, lane)


def drop_expired(lane: Lane, block, slots: int) -> Lane:
    """Takes orders whose last block is past off every book."""
    drops = is_present(lane) & (lane.expiry > 0) & (lane.expiry < block)
    return drop(lane, drops, slots)


def drop(lane: Lane, drops, slots: int) -> Lane:
    """Takes the orders ``drops`` [M, 2, C] off the books, with their reservations."""
    lots = jnp.where(drops, lane.lots, 0)
    account = lane.owner // slots
    market = jnp.arange(lane.ticks.shape[0])[:, None, None]
    side = jnp.arange(2)[None, :, None]
    return keep(
        lane._replace(
            open_lots=lane.open_lots.at[account, market, side].add(-lots),
            open_loss=lane.open_loss.at[account, market].add(-lots * lane.loss),
        ),
        is_present(lane) & ~drops,
    )


def reserve(lane: Lane, account, market, side, lots, loss) -> Lane:
    """Books a resting order's lots and worst loss; negative lots release them."""
    return lane._replace(
        open_lots=lane.open_lots.at[account, market, side].add(lots),
        open_loss=lane.open_loss.at[account, market].add(lots * loss),
    )


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


def record_fill(lane: Lane, on, market, ticks, lots, quote) -> Lane:
    """Counts one fill in what the block reports."""
    info, zero = lane.info, jnp.int64(0)
    low = info[lay.LOW, market]
    lowest = jnp.where(low == 0, ticks, jnp.minimum(low, ticks))
    info = info.at[lay.TRADED_LOTS, market].add(jnp.where(on, lots, zero))
    info = info.at[lay.TRADED_QUOTE, market].add(jnp.where(on, quote, zero))
    info = info.at[lay.TRADES, market].add(jnp.where(on, 1, zero))
    info = info.at[lay.HIGH, market].max(jnp.where(on, ticks, zero))
    info = info.at[lay.LOW, market].set(jnp.where(on, lowest, low))
    last = lane.last.at[market].set(jnp.where(on, ticks, lane.last[market]))
    return lane._replace(info=info, last=last)


def take(lane: Lane, env: Env, sizes, on, market, sign, limit, lots, taker, fee_ppm):
    """Takes from the book, best first, settling fill by fill.

    Returns:
        ``(lane, left, filled, quote, stopped)``: what is left of the taker, and whether
        self-trade prevention stopped it.
    """
    side, multiplier = jnp.where(sign > 0, 1, 0), env.multiplier[market]
    fees = jnp.stack([fee_ppm, env.param("maker_fee_ppm", market)])
    mode = sizes.self_trade

    def meets(lane, left, stopped):
        count = lane.count[market, side]
        ticks = lane.ticks[market, side, jnp.maximum(count - 1, 0)]
        crosses = sign * (limit - ticks) >= 0
        return on & (left > 0) & ~stopped & (count > 0) & crosses

    def body(carry):
        lane, left, filled, quote, stopped, active = carry
        index = jnp.maximum(lane.count[market, side] - 1, 0)
        ticks, there = lane.ticks[market, side, index], lane.lots[market, side, index]
        maker = lane.owner[market, side, index] // sizes.slots
        loss, own = lane.loss[market, side, index], maker == taker
        if mode == SelfTrade.CANCEL_NEWEST:
            stopped = stopped | (active & own)
            active = active & ~own
        taken = jnp.minimum(left, there)
        if mode == SelfTrade.CANCEL_OLDEST:
            taken = jnp.where(own, there, taken)
        taken = jnp.where(active, taken, 0)
        fills, gone = active & ~own, active & (taken == there)
        value = ticks * multiplier
        lane = reserve(lane, maker, market, side, -taken, loss)
        pair = jnp.stack([taker, jnp.where(own, (taker + 1) % sizes.accounts, maker)])
        deltas = jnp.stack([sign * taken, -sign * taken])
        lane = trade(lane, fills, pair, market, deltas, value, fees)
        lane = record_fill(lane, fills, market, ticks, taken, taken * value)
        lane = lane._replace(
            lots=lane.lots.at[market, side, index].add(-taken),
            count=lane.count.at[market, side].add(jnp.where(gone, -1, 0)),
        )
        shrinks = fills | (mode == SelfTrade.DECREMENT)
        left = left - jnp.where(shrinks, taken, 0)
        filled = filled + jnp.where(fills, taken, 0)
        quote = quote + jnp.where(fills, taken * value, 0)
        return lane, left, filled, quote, stopped, meets(lane, left, stopped)

    zero, never = lots * 0, lots < lots
    carry = (lane, lots, zero, zero, never, meets(lane, lots, never))
    carry = lax.while_loop(lambda carry: any_lane(carry[-1]), body, carry)
    lane, left, filled, quote, stopped, _ = carry
    rows, count = _rest(lane, market, side), lane.count[market, side]
    rows = jnp.where(jnp.arange(rows.shape[1]) < count, rows, 0)
    return _put(lane, market, side, rows, count), left, filled, quote, stopped
