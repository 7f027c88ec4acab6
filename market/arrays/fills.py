"""Money and contracts change hands: fills and reservations; see `market.kernels.fills`.

What leaves a book without a fill frees what it had reserved, and that is here too.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from market.arrays.book import is_present, keep_orders, pop, taken_side
from market.arrays.lane import INFO_ROW, Env, Lane, any_lane, note
from market.numbers.units import ppm_ceil
from market.numbers.wide import mul_div_floor


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


def release(lane: Lane, env: Env, lots) -> Lane:
    """Frees what lots [M, 2, C] of the resting orders reserved."""
    account = lane.owner // env.sizes.slots
    market = jnp.arange(lane.ticks.shape[0])[:, None, None]
    return reserve(lane, account, market, jnp.arange(2)[:, None], -lots, lane.loss)


# --- what leaves the books ---------------------------------------------------------


def drop(lane: Lane, env: Env, drops) -> Lane:
    """Takes the orders ``drops`` [M, 2, C] off the books, with their reservations."""
    lane = release(lane, env, jnp.where(drops, lane.lots, 0))
    return keep_orders(lane, is_present(lane) & ~drops)


def cancel_orders(lane: Lane, env: Env, who, markets) -> Lane:
    """Takes all orders of the accounts ``who`` [A] off the books in ``markets`` [M]."""
    mine = is_present(lane) & markets[:, None, None]
    return drop(lane, env, mine & who[lane.owner // env.sizes.slots])


def drop_expired(lane: Lane, env: Env) -> Lane:
    """Takes orders whose last block is past off every book."""
    past = (lane.expiry > 0) & (lane.expiry < env.block)
    return drop(lane, env, is_present(lane) & past)
