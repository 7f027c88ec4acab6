"""What ordering schemes share: who is ready, ranking them, filling a block, charging.

A ranking is the places of the mempool in order, [Q]; stable sorts of one word each are
laid over one another, the most significant last.
"""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from market.types.orders import Kind, Tx
from rollup.sequencing.contract import Clock, SequencerParams, SequencerSpec, Waiting

#: Sorts behind every real key, which is at most 50 bits: arrivals stay below 2^49 us.
LAST = (1 << 50) - 1
#: Positions of a sort key are packed below the key in one word.
INDEX_BITS = 12
#: Places of a mempool at most.
MAX_PLACES = 1 << INDEX_BITS
#: Accounts fit this many bits (`market.types.limits.MAX_ACCOUNTS`).
_ACCOUNT_BITS = 20
#: Bits of a time key: microseconds before the newest, up to 152 hours; then a lot.
_TIME_BITS, _LOT_BITS = 39, 10
#: Odd factors of a hash: the golden ratio's bits and those of two well-known mixers.
#: Source: Steele, Lea and Flood, SplitMix64, 2014; XXH64.
_MIX = tuple(
    np.uint64(factor)
    for factor in (
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0xBF58476D1CE4E5B9,
        0x94D049BB133111EB,
    )
)
#: Bids above this (2,147 USD) rank and pay as this.
MAX_BID = (1 << 31) - 1


def arrived(waiting: Waiting, clock: Clock) -> Array:
    """Those that reach the sequencer before the block ends; bool [Q]."""
    tx = waiting.tx
    return (tx.kind != Kind.NONE) & (tx.arrival_us < clock.now_us + clock.block_us)


def ready(waiting: Waiting, clock: Clock) -> Array:
    """Those that arrived and that no censor passes over; bool [Q]."""
    return arrived(waiting, clock) & ~waiting.censored


def hidden_but(tx: Tx, visible: Array) -> Tx:
    """The transactions with those that are not visible [Q] made empty."""
    return replace(tx, kind=jnp.where(visible, tx.kind, Kind.NONE))


def sorted_positions(key: Array) -> Array:
    """Positions in ascending order of a key of at most 50 bits; ties by position.

    One sort of one word: the position is packed under the key, which is several times
    cheaper than a sort with a payload.

    Raises:
        ValueError: more positions than their bits can tell apart.
    """
    size = key.shape[0]
    if size > MAX_PLACES:
        raise ValueError(f"{size} places; at most {MAX_PLACES} are ranked")
    packed = (key << INDEX_BITS) | jnp.arange(size, dtype=jnp.int64)
    return jnp.sort(packed) & ((1 << INDEX_BITS) - 1)


def by_key(key: Array, among: Array, ranked: Array | None = None) -> Array:
    """Ranks by a key [Q], those not ``among`` [Q] last; ties as they were ranked."""
    key = jnp.where(among, key, LAST)
    if ranked is None:
        return sorted_positions(key)
    return ranked[sorted_positions(key[ranked])]


def lot_of(tx: Tx) -> Array:
    """A lot that a transaction draws by its sender and time, `_LOT_BITS` bits; [Q].

    It breaks ties of time: by it no account, family or place in an array has a better
    chance than another, and a transaction keeps it for as long as it waits.
    """
    account, sent = tx.account.astype(jnp.uint64), tx.sent_us.astype(jnp.uint64)
    # A multiplicative hash: every bit of both reaches the highest ones.
    word = account * _MIX[0] + sent * _MIX[1]
    word = (word ^ (word >> 29)) * _MIX[2]
    word = (word ^ (word >> 32)) * _MIX[3]
    return (word >> (64 - _LOT_BITS)).astype(jnp.int64)


def time_key(time_us: Array, tx: Tx, among: Array) -> Array:
    """A sort key below `LAST`: the earliest first, ties by lot; [Q].

    What is more than 152 hours older than the newest ``among`` counts as of that age.
    Those not among come last.
    """
    newest = jnp.max(jnp.where(among, time_us, 0))
    age = jnp.clip(newest - time_us, 0, (1 << _TIME_BITS) - 1)
    key = (((1 << _TIME_BITS) - 1 - age) << _LOT_BITS) | lot_of(tx)
    return jnp.where(among, key, LAST)


def by_time(time_us: Array, tx: Tx, among: Array) -> Array:
    """Ranks by a time [Q], the earliest first and ties by lot; those not among last."""
    return sorted_positions(time_key(time_us, tx, among))


def has_sequence(tx: Tx) -> Array:
    """Which come over their sender's own connection, one after the other; bool [Q].

    Deposits and forced withdrawals come through the settlement layer instead.
    """
    through_l1 = (tx.kind == Kind.DEPOSIT) | (tx.kind == Kind.FORCED_WITHDRAW)
    return (tx.kind != Kind.NONE) & ~through_l1


def in_sequence(ranked: Array, waiting: Waiting, among: Array) -> tuple[Array, Array]:
    """A ranking in which the later transaction of a sender waits for its earlier ones.

    Each stands where it stood, or right behind its sender's earlier ones where one of
    them stood further back. So it is as if the best of the senders' next transactions
    were taken time after time. What waits for one that is not ``among`` is not either.

    Source: the nonces of Ethereum's accounts; geth's ``TransactionsByPriceAndNonce``.

    Args:
        ranked: [Q] the places in order.
        waiting: the mempool.
        among: [Q] bool: those that can be taken.

    Returns:
        The new ranking and the new ``among``.
    """
    tx, size = waiting.tx, ranked.shape[0]
    never = size
    place = jnp.arange(size)
    stood = jnp.zeros((size,), jnp.int64).at[ranked].set(place)
    stood = jnp.where(among, stood, never)
    # Sender by sender, each one's in the order of arrival; the others each alone.
    live = tx.kind != Kind.NONE
    age = jnp.zeros((size,), jnp.int64)
    arrival = by_time(tx.arrival_us, tx, live)
    age = age.at[arrival].set(place)
    alone = (1 << _ACCOUNT_BITS) + place
    sender = jnp.where(has_sequence(tx), tx.account, alone)
    line = jnp.sort((sender << INDEX_BITS) | age)
    at = arrival[line & ((1 << INDEX_BITS) - 1)]
    # The furthest back of a sender's so far; senders rise, so none sees another's.
    shift = INDEX_BITS + 1
    furthest = lax.cummax((line >> INDEX_BITS << shift) | stood[at])
    stands = furthest & ((1 << shift) - 1)
    order = jnp.sort((stands << INDEX_BITS) | place) & ((1 << INDEX_BITS) - 1)
    may_go = jnp.zeros((size,), bool).at[at].set(stands < never)
    return at[order], may_go


def bid_of(tx: Tx, params: SequencerParams) -> Array:
    """What each transaction bids for priority, within the bounds; quanta [Q]."""
    return jnp.clip(tx.fee_bid, params.min_fee_bid, MAX_BID)


def first_of(
    ranked: Array, among: Array, room: Array, spec: SequencerSpec
) -> tuple[Array, Array]:
    """The block of the first ``room`` of a ranking that are ``among`` [Q].

    Returns:
        `Ordering.index` and `Ordering.live`.
    """
    index = ranked[: spec.block_txs]
    places = jnp.arange(spec.block_txs)
    return index, among[index] & (places < room)


def charge_senders(
    waiting: Waiting, index: Array, live: Array, price: Array, spec: SequencerSpec
) -> Array:
    """`Ordering.charge` where each sender pays for its transactions in the block.

    Args:
        waiting: the mempool.
        index: [B] places of the block.
        live: [B] where it holds a transaction.
        price: quanta of each place of the mempool, [Q] or [].
        spec: the shapes.
    """
    account = jnp.clip(waiting.tx.account[index], 0, spec.accounts - 1)
    account = jnp.where(live, account, 0)
    price = jnp.broadcast_to(price, waiting.tx.kind.shape)[index]
    return (
        jnp.zeros((spec.accounts,), jnp.int64)
        .at[account]
        .add(jnp.where(live, price, 0))
    )
