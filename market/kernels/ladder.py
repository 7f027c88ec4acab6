"""One market's book as a ladder of price levels: what the native `match` works on.

Each side is a sorted run of price levels, a level a doubly linked list of its orders in
time order, and a hash table leads from an order's name to its place. So resting,
cancelling and taking cost the same in a deep book as in a shallow one, where the sorted
columns of `market.types.state.BookState` move a tail. `load` builds the ladder from
them at the start of a block of messages, `store` writes them at its end.

Prices are signed so that a higher `key` is better on both sides: ticks for bids, minus
ticks for asks. Nodes below C belong to bids, the others to asks.
"""

from typing import NamedTuple

import numpy as np
from numba import carray

from market.native.ffi import _pointer, kernel

BIDS, ASKS = 0, 1

#: Columns of a node.
TICKS, LOTS, OWNER, LOSS, EXPIRY, BATCH, NEXT, PREVIOUS = range(8)
NODE_WIDTH = 8
#: Columns of a level.
KEY, FIRST, LAST = 0, 1, 2
LEVEL_WIDTH = 3
#: Columns of a side's sizes: orders, levels, first free node.
ORDERS, LEVELS, FREE = 0, 1, 2

_NONE = -1
_SPREADING = 0x9E3779B1  # 2**32 over the golden ratio
_NODE_BITS = 32
_NODE_MASK = (1 << _NODE_BITS) - 1


class Ladder(NamedTuple):
    """Where the arrays of one market stand, and their sizes: six words to pass on."""

    nodes: int  # address of [2 C, NODE_WIDTH]
    levels: int  # address of [2, C, LEVEL_WIDTH], worst to best
    sizes: int  # address of [2, 3]
    table: int  # address of [H] name << 32 | node + 1, or 0; H is a power of two
    capacity: int  # C
    last: int  # H - 1


@kernel
def _table_size(capacity):
    slots = 8
    while slots < 4 * capacity:  # at most half full
        slots *= 2
    return slots


@kernel
def scratch_words(capacity):
    """Words of memory that `ladder_in` needs."""
    return 2 * capacity * (NODE_WIDTH + LEVEL_WIDTH) + 6 + _table_size(capacity)


@kernel
def ladder_in(scratch, capacity):
    """A ladder for up to ``capacity`` orders a side, in memory that outlives it.

    Args:
        scratch: `scratch_words` of any content; `load` fills it.
        capacity: orders of a side.
    """
    nodes = scratch.ctypes.data
    levels = nodes + 16 * capacity * NODE_WIDTH
    sizes = levels + 16 * capacity * LEVEL_WIDTH
    last = _table_size(capacity) - 1
    return Ladder(nodes, levels, sizes, sizes + 48, capacity, last)


@kernel
def nodes_of(ladder):
    """The orders: [2 C, NODE_WIDTH]."""
    shape = (2 * ladder.capacity, NODE_WIDTH)
    return carray(_pointer(ladder.nodes), shape, np.int64)


@kernel
def levels_of(ladder):
    """The price levels: [2, C, LEVEL_WIDTH]."""
    shape = (2, ladder.capacity, LEVEL_WIDTH)
    return carray(_pointer(ladder.levels), shape, np.int64)


@kernel
def sizes_of(ladder):
    """What each side holds: [2, 3]."""
    return carray(_pointer(ladder.sizes), (2, 3), np.int64)


@kernel
def _table_of(ladder):
    return carray(_pointer(ladder.table), (ladder.last + 1,), np.int64)


@kernel
def key_of(side, ticks):
    """The signed price: higher is better."""
    return ticks if side == BIDS else -ticks


@kernel
def side_of(ladder, node):
    """The side on which a node rests."""
    return BIDS if node < ladder.capacity else ASKS


# --- names ----------------------------------------------------------------------------


@kernel
def _home(ladder, name):
    return (name * _SPREADING >> 16) & ladder.last


@kernel
def _entry(ladder, name):
    """The entry of a name, or the free one where it would stand; linear probing."""
    table, place = _table_of(ladder), _home(ladder, name)
    while table[place] != 0 and table[place] >> _NODE_BITS != name:
        place = (place + 1) & ladder.last
    return place


@kernel
def find(ladder, name):
    """The node of an order, or -1."""
    return (_table_of(ladder)[_entry(ladder, name)] & _NODE_MASK) - 1


@kernel
def _forget(ladder, name):
    """Frees the entry of a name and closes the gap in its run."""
    table, hole, last = _table_of(ladder), _entry(ladder, name), ladder.last
    place = (hole + 1) & last
    while table[place] != 0:
        home = _home(ladder, table[place] >> _NODE_BITS)
        if (place - home) & last >= (place - hole) & last:
            table[hole] = table[place]
            hole = place
        place = (place + 1) & last
    table[hole] = 0


# --- levels ---------------------------------------------------------------------------


@kernel
def _level_from(ladder, side, key):
    """The worst level that is not worse than ``key``."""
    levels, low, left = levels_of(ladder), 0, sizes_of(ladder)[side, LEVELS]
    while left > 0:
        half = left >> 1
        is_worse = levels[side, low + half, KEY] < key
        low = low + half + 1 if is_worse else low
        left = left - half - 1 if is_worse else half
    return low


@kernel
def _open_level(ladder, side, level, key):
    """Makes room for a level and leaves it without orders."""
    levels, sizes = levels_of(ladder), sizes_of(ladder)
    for place in range(sizes[side, LEVELS], level, -1):
        for column in range(LEVEL_WIDTH):
            levels[side, place, column] = levels[side, place - 1, column]
    levels[side, level, KEY] = key
    levels[side, level, FIRST] = _NONE
    levels[side, level, LAST] = _NONE
    sizes[side, LEVELS] += 1


@kernel
def _close_level(ladder, side, level):
    levels, sizes = levels_of(ladder), sizes_of(ladder)
    sizes[side, LEVELS] -= 1
    for place in range(level, sizes[side, LEVELS]):
        for column in range(LEVEL_WIDTH):
            levels[side, place, column] = levels[side, place + 1, column]


# --- orders ---------------------------------------------------------------------------


@kernel
def has_room(ladder, side):
    """Whether one more order fits on ``side``."""
    return sizes_of(ladder)[side, ORDERS] < ladder.capacity


@kernel
def first_within(ladder, side, bound):
    """The order that a taker meets: earliest of the best level, if its key is within.

    Args:
        ladder: the book.
        side: the side that is taken from.
        bound: lowest key that the taker accepts.

    Returns:
        A node, or -1.
    """
    levels, count = levels_of(ladder), sizes_of(ladder)[side, LEVELS]
    if count == 0 or levels[side, count - 1, KEY] < bound:
        return _NONE
    return levels[side, count - 1, FIRST]


@kernel
def _take_node(ladder, side, ticks, lots, owner, loss, expiry, batch):
    """A free node with these values, under its name."""
    nodes, sizes = nodes_of(ladder), sizes_of(ladder)
    node = sizes[side, FREE]
    sizes[side, FREE] = nodes[node, NEXT]
    sizes[side, ORDERS] += 1
    nodes[node, TICKS], nodes[node, LOTS] = ticks, lots
    nodes[node, OWNER], nodes[node, LOSS] = owner, loss
    nodes[node, EXPIRY], nodes[node, BATCH] = expiry, batch
    _table_of(ladder)[_entry(ladder, owner)] = owner << _NODE_BITS | node + 1
    return node


@kernel
def rest(ladder, side, ticks, lots, owner, expiry, batch):
    """Rests an order behind those of its price; the side has room, the name is free."""
    nodes, levels, key = nodes_of(ladder), levels_of(ladder), key_of(side, ticks)
    level = _level_from(ladder, side, key)
    if level == sizes_of(ladder)[side, LEVELS] or levels[side, level, KEY] != key:
        _open_level(ladder, side, level, key)
    node = _take_node(ladder, side, ticks, lots, owner, 0, expiry, batch)
    before = levels[side, level, LAST]
    nodes[node, PREVIOUS], nodes[node, NEXT] = before, _NONE
    if before == _NONE:
        levels[side, level, FIRST] = node
    else:
        nodes[before, NEXT] = node
    levels[side, level, LAST] = node


@kernel
def remove(ladder, side, node):
    """Takes an order off; the others keep their priority."""
    nodes, levels, sizes = nodes_of(ladder), levels_of(ladder), sizes_of(ladder)
    before, after = nodes[node, PREVIOUS], nodes[node, NEXT]
    if before != _NONE:
        nodes[before, NEXT] = after
    if after != _NONE:
        nodes[after, PREVIOUS] = before
    if before == _NONE or after == _NONE:
        level = _level_from(ladder, side, key_of(side, nodes[node, TICKS]))
        if before == _NONE:
            levels[side, level, FIRST] = after
        if after == _NONE:
            levels[side, level, LAST] = before
        if before == _NONE and after == _NONE:
            _close_level(ladder, side, level)
    _forget(ladder, nodes[node, OWNER])
    nodes[node, LOTS] = 0  # free nodes have none
    nodes[node, NEXT] = sizes[side, FREE]
    sizes[side, FREE] = node
    sizes[side, ORDERS] -= 1


# --- to and from the columns of the book ----------------------------------------------


@kernel
def _clear(ladder):
    nodes, sizes = nodes_of(ladder), sizes_of(ladder)
    _table_of(ladder)[:] = 0
    for node in range(2 * ladder.capacity):
        nodes[node, LOTS], nodes[node, NEXT] = 0, node + 1
    for side in range(2):
        sizes[side, ORDERS], sizes[side, LEVELS] = 0, 0
        sizes[side, FREE] = side * ladder.capacity


@kernel
def load(ladder, ticks, lots, owner, loss, expiry, batch, count, block):
    """Fills the ladder with a book's orders, but for those whose last block is past.

    The columns are those of `BookState`, [2 C] each, and [2] orders of each side.
    Returns the lots that expired.
    """
    _clear(ladder)
    nodes, levels, sizes = nodes_of(ladder), levels_of(ladder), sizes_of(ladder)
    capacity, expired = ladder.capacity, 0
    for side in range(2):
        for row in range(side * capacity, side * capacity + count[side]):
            if 0 < expiry[row] < block:
                expired += lots[row]
                continue
            key, level = key_of(side, ticks[row]), sizes[side, LEVELS] - 1
            if level < 0 or levels[side, level, KEY] != key:
                level += 1
                _open_level(ladder, side, level, key)
            node = _take_node(
                ladder,
                side,
                ticks[row],
                lots[row],
                owner[row],
                loss[row],
                expiry[row],
                batch[row],
            )
            # Of equal prices the latest stands first in the columns.
            after = levels[side, level, FIRST]
            nodes[node, PREVIOUS], nodes[node, NEXT] = _NONE, after
            if after == _NONE:
                levels[side, level, LAST] = node
            else:
                nodes[after, PREVIOUS] = node
            levels[side, level, FIRST] = node
    return expired


@kernel
def store(ladder, ticks, lots, owner, loss, expiry, batch, count):
    """Writes the columns of the book; entries behind the best order become zero."""
    nodes, levels, sizes = nodes_of(ladder), levels_of(ladder), sizes_of(ladder)
    capacity = ladder.capacity
    for side in range(2):
        row = side * capacity
        for level in range(sizes[side, LEVELS]):
            node = levels[side, level, LAST]
            while node != _NONE:
                ticks[row], lots[row] = nodes[node, TICKS], nodes[node, LOTS]
                owner[row], loss[row] = nodes[node, OWNER], nodes[node, LOSS]
                expiry[row], batch[row] = nodes[node, EXPIRY], nodes[node, BATCH]
                node = nodes[node, PREVIOUS]
                row += 1
        count[side] = row - side * capacity
        for column in (ticks, lots, owner, loss, expiry, batch):
            column[row : (side + 1) * capacity] = 0
