"""Uniform-price clearing of one market as a sequential kernel.

The rules: `market.twin.auction`. Orders are sorted once by (price, index), in one
int64 key each; walking both sides from their best order gives the volume and the two
limits between which every price clears it.
"""

from market.kernels.wide import mul_div_rest
from market.native.ffi import kernel

# A sort key: (price, index), which `MAX_AUCTION_ORDERS` and `MAX_TICKS` bound.
_INDEX_BITS, _TICK_BITS = 12, 31
_INDEX_MASK = (1 << _INDEX_BITS) - 1
_HIGHEST = (1 << _TICK_BITS) - 1


@kernel
def _sort(keys, count):
    """Sorts the first ``count`` keys, ascending; shell sort, for its short code."""
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for start in range(gap, count):
            key, place = keys[start], start
            while place >= gap and keys[place - gap] > key:
                keys[place] = keys[place - gap]
                place -= gap
            keys[place] = key
        gap //= 3


@kernel
def _rank(side, ticks, lots, wanted, keys):
    """Keys of one side's orders, best price first, then by index; their number."""
    count = 0
    for index in range(side.shape[0]):
        if side[index] == wanted and lots[index] > 0:
            worse = _HIGHEST - ticks[index] if wanted > 0 else ticks[index]
            keys[count] = worse << _INDEX_BITS | index
            count += 1
    _sort(keys, count)
    return count


@kernel
def _volume(bids, bid_count, asks, ask_count, ticks, lots):
    """Largest tradable volume and the last bid's and ask's limit that it needs."""
    volume, low, high = 0, 0, 0
    b, a, bid_left, ask_left = 0, 0, 0, 0
    while True:
        if bid_left == 0:
            if b == bid_count:
                break
            bid = bids[b] & _INDEX_MASK
            bid_left = lots[bid]
            b += 1
        if ask_left == 0:
            if a == ask_count:
                break
            ask = asks[a] & _INDEX_MASK
            ask_left = lots[ask]
            a += 1
        if ticks[bid] < ticks[ask]:
            break
        traded = min(bid_left, ask_left)
        volume += traded
        bid_left -= traded
        ask_left -= traded
        low, high = ticks[ask], ticks[bid]
    return volume, low, high


@kernel
def _share(keys, start, end, lots, left, whole, filled):
    """Shares ``left`` lots among ranks [start, end) by size, largest remainder."""
    over = left
    for rank in range(start, end):
        index = keys[rank] & _INDEX_MASK
        part, rest = mul_div_rest(lots[index], left, whole)
        filled[index] = part
        over -= part
        keys[rank] = (whole - 1 - rest) << _INDEX_BITS | index
    _sort(keys[start:end], end - start)
    for rank in range(start, start + over):
        filled[keys[rank] & _INDEX_MASK] += 1


@kernel
def _ration(keys, count, ticks, lots, came, volume, filled):
    """Fills one side in rank order, each group of equal price and block in turn."""
    start, left = 0, volume
    while start < count and left > 0:
        first = keys[start] & _INDEX_MASK
        whole, end = 0, start
        while end < count:
            index = keys[end] & _INDEX_MASK
            if ticks[index] != ticks[first] or came[index] != came[first]:
                break
            whole += lots[index]
            end += 1
        if whole <= left:
            for rank in range(start, end):
                index = keys[rank] & _INDEX_MASK
                filled[index] = lots[index]
        else:
            _share(keys, start, end, lots, left, whole, filled)
        left -= min(left, whole)
        start = end


@kernel
def clear(side, ticks, lots, came, keys, filled):
    """Clears one market at a uniform price.

    Args:
        side: [N] +1 buy, -1 sell, anything else is no order; N is at most
            `MAX_AUCTION_ORDERS`.
        ticks: [N] limits below 2**31.
        lots: [N]; orders without lots are none. All together below `MAX_AUCTION_LOTS`.
        came: [N] block in which it came; among orders of one side and price it must not
            fall along the index, so that an earlier index is an earlier order.
        keys: [2, N] scratch.
        filled: [N] lots that fill; overwritten.

    Returns:
        ``(price in ticks, volume in lots)``; (0, 0) where nobody can trade.
    """
    filled[:] = 0
    bids, asks = keys[0], keys[1]
    bid_count = _rank(side, ticks, lots, 1, bids)
    ask_count = _rank(side, ticks, lots, -1, asks)
    volume, low, high = _volume(bids, bid_count, asks, ask_count, ticks, lots)
    if volume == 0:
        return 0, 0
    _ration(bids, bid_count, ticks, lots, came, volume, filled)
    _ration(asks, ask_count, ticks, lots, came, volume, filled)
    return (low + high) // 2, volume
