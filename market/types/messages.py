"""What can be said about a message of a book before the book is looked at."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.types.limits import MAX_MESSAGE_VALUE
from market.types.orders import BUY, SELL, Flag, Kind, Status

IMMEDIATE = int(Flag.IOC | Flag.FOK | Flag.MARKET)
ALL_FLAGS = sum(int(flag) for flag in Flag)
_ALL_WORSE_THAN_NONE = -MAX_MESSAGE_VALUE - 1  # a bound that every order is at or above


class Step(NamedTuple):
    """A block of messages, prepared for the scan over them; [B] each."""

    kind: Array  # `Kind`, or NONE where there is nothing to do
    reason: Array  # status of what is not an order, or the rule that an order breaks
    own: Array  # side on which it would rest
    key: Array  # int32 signed limit on its own side, higher is better
    bound: Array  # int32 [B, 2] resting orders with a lower key are worse than it
    lots: Array
    flags: Array
    first: Array  # int32 first order name of its account
    name: Array  # int32 order name
    origin: Array  # int32 entries of the book + number of the message


def invalid(side, ticks, lots, flags, expiry, block) -> Array:
    """The first rule that the fields of an order break, as a status, or 0."""
    flagged = {flag: flags & flag != 0 for flag in Flag}
    immediate = flags & IMMEDIATE != 0
    bad_flags = (flags < 0) | (flags > ALL_FLAGS)
    bad_flags |= flagged[Flag.POST_ONLY] & immediate
    bad_flags |= flagged[Flag.REDUCE_ONLY] & ~immediate
    status = jnp.where((0 < expiry) & (expiry < block), Status.EXPIRED, 0)
    status = jnp.where(bad_flags, Status.BAD_FLAGS, status)
    bad_price = ~flagged[Flag.MARKET] & ((ticks < 1) | (ticks > MAX_MESSAGE_VALUE))
    status = jnp.where(bad_price, Status.BAD_PRICE, status)
    status = jnp.where((lots < 1) | (lots > MAX_MESSAGE_VALUE), Status.BAD_LOTS, status)
    return jnp.where((side != BUY) & (side != SELL), Status.BAD_SIDE, status)


def prepare(columns, block, slots: int, entries: int) -> Step:
    """Checks and encodes a block of messages.

    Args:
        columns: kind, account, side, ticks, lots, flags, slot and expiry, [B] each.
        block: [] number of the block.
        slots: order slots of an account.
        entries: orders that the book can hold on both sides.
    """
    kind, account, side, ticks, lots, flags, slot, expiry = columns
    reduces = kind == Kind.REDUCE
    known = ((kind >= Kind.ORDER) & (kind <= Kind.REPLACE)) | reduces
    clears = kind == Kind.CANCEL_ALL
    bad_slot = ~clears & ((slot < 0) | (slot >= slots))
    bad_account = (account < 0) | (account >= MAX_MESSAGE_VALUE // slots)
    orders = (kind == Kind.ORDER) | (kind == Kind.REPLACE)
    status = invalid(side, ticks, lots, flags, expiry, block)
    bad_part = reduces & (lots < 1)
    status = jnp.where(orders, status, Status.ACCEPTED)
    status = jnp.where(bad_part, Status.BAD_LOTS, status)
    status = jnp.where(bad_slot, Status.UNKNOWN_SLOT, status)
    status = jnp.where(bad_account, Status.UNKNOWN_ACCOUNT, status)
    status = jnp.where(known, status, Status.UNKNOWN_KIND)
    status = jnp.where(kind == Kind.NONE, Status.NONE, status)
    acts = known & ~bad_account & ~bad_slot & ~bad_part
    buys = side == BUY
    ticks = jnp.clip(ticks, 0, MAX_MESSAGE_VALUE)
    key = jnp.where(buys, ticks, -ticks)
    reach = jnp.where(flags & Flag.MARKET != 0, -MAX_MESSAGE_VALUE, -key)
    bound = jnp.where(buys[:, None], _pair(key, reach), _pair(reach, key))
    bound = jnp.where(clears[:, None], _ALL_WORSE_THAN_NONE, bound)
    first = jnp.where(acts, account, 0) * slots
    return Step(
        kind=jnp.where(acts, kind, Kind.NONE),
        reason=status,
        own=jnp.where(buys, 0, 1),
        key=key.astype(jnp.int32),
        bound=bound.astype(jnp.int32),
        lots=lots,
        flags=flags,
        first=first.astype(jnp.int32),
        name=(first + jnp.where(acts & ~clears, slot, 0)).astype(jnp.int32),
        origin=entries + jnp.arange(kind.shape[0], dtype=jnp.int32),
    )


def _pair(bids: Array, asks: Array) -> Array:
    return jnp.stack([bids, asks], axis=-1)
