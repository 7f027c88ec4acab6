"""Price oracles: reporters and their median, updates, staleness.

Prices are positive ticks, times microseconds. dYdX v4 has no mark of its own: margin
is reckoned at the oracle price. Everything works on one market or, with
a leading axis, on ``M`` of them. The mark of a venue that has one is
:mod:`market.upkeep.mark`'s; StarkEx's signed prices are
:mod:`market.venues.starkex.oracle`'s.

Source: median as dYdX v4 ``lib/math`` (two middle values: mean rounded away from
zero); deviation threshold and heartbeat as push oracles publish them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from market.numbers.units import PPM, ppm_floor
from market.numbers.wide import (
    INT64_MAX,
    IntLike,
    both,
    compare_products,
    either,
)
from market.rules.funding import mean_away_from_zero


def median_of_reports(prices: jax.Array, is_valid: jax.Array):
    """Median over the valid reports.

    Args:
      prices: int64[... N].
      is_valid: bool[... N].

    Returns:
      int64[...] median (an even number: mean of the middle two, a half away from
      zero), 0 where nobody reported; and the number of reports.
    """
    count = jnp.sum(is_valid, axis=-1)
    ordered = jnp.sort(jnp.where(is_valid, prices, INT64_MAX), axis=-1)

    def at(rank):
        return jnp.take_along_axis(ordered, rank[..., None], axis=-1)[..., 0]

    # An empty set would add the sentinel to itself and overflow.
    low = jnp.where(count > 0, at(jnp.maximum(count - 1, 0) // 2), 0)
    high = jnp.where(count > 0, at(count // 2), 0)
    return mean_away_from_zero(low, high), count


def distorted_reports(
    honest: jax.Array, previous: jax.Array, is_stuck: jax.Array, bias_ppm: jax.Array
) -> jax.Array:
    """What faulty reporters say: a stuck one repeats itself, a manipulated one is off.

    Args:
      honest: int64[... N] what they see.
      previous: int64[... N] what they reported last.
      is_stuck: bool[... N].
      bias_ppm: int64[... N] signed, rounded down; never below one tick.
    """
    biased = jnp.maximum(honest + ppm_floor(honest, bias_ppm), 1)
    return jnp.where(is_stuck, previous, biased)


def is_deviation(old: IntLike, new: IntLike, threshold_ppm: IntLike):
    """Whether ``|new - old| / old`` reaches the threshold (inclusive), exactly.

    >>> is_deviation(1_000, 1_005, 5_000), is_deviation(1_000, 1_004, 5_000)
    (True, False)
    """
    return compare_products(abs(new - old), PPM, threshold_ppm, old) >= 0


def is_update_due(
    old: IntLike,
    new: IntLike,
    age_us: IntLike,
    threshold_ppm: IntLike,
    heartbeat_us: IntLike,
):
    """A push oracle publishes on a deviation, or when the heartbeat has passed."""
    return either(is_deviation(old, new, threshold_ppm), age_us >= heartbeat_us)


def is_stale(now_us: IntLike, updated_us: IntLike, max_age_us: IntLike):
    """Whether a price is older than allowed; at exactly the limit it is not."""
    return now_us - updated_us > max_age_us


class OracleRules(NamedTuple):
    """When the feed publishes.

    Attributes:
      quorum: least number of reports for a price.
      threshold_ppm: deviation that publishes at once.
      heartbeat_us: longest silence while reports arrive.
      max_age_us: age from which a price counts as stale.
    """

    quorum: IntLike = 1
    threshold_ppm: IntLike = 0
    heartbeat_us: IntLike = 0
    max_age_us: IntLike = INT64_MAX


class Feed(NamedTuple):
    """What the exchange knows: price int64[M] in ticks, and since when int64[M]."""

    price: jax.Array
    updated_us: jax.Array


def updated_feed(
    feed: Feed,
    prices: jax.Array,
    is_valid: jax.Array,
    now_us: IntLike,
    rules: OracleRules,
) -> Feed:
    """One round of reports: the feed moves if there is a quorum and an update is due.

    Args:
      feed: int64[M] prices and times.
      prices: int64[M N] reports.
      is_valid: bool[M N] who reported.
      now_us: time of the round.
      rules: quorum, threshold, heartbeat.
    """
    median, count = median_of_reports(prices, is_valid)
    age = now_us - feed.updated_us
    is_due = is_update_due(
        feed.price, median, age, rules.threshold_ppm, rules.heartbeat_us
    )
    moves = both(is_due, (count >= jnp.maximum(rules.quorum, 1)) & (median > 0))
    return Feed(
        jnp.where(moves, median, feed.price), jnp.where(moves, now_us, feed.updated_us)
    )
