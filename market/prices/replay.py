"""Replays recorded one-minute bars, with a random path inside each."""

from dataclasses import dataclass

import jax
from jaxtyping import Array, Int

from market.prices.bridge import LEAST_BLOCKS, bar_grid, bridge, merge_bars
from market.prices.klines import MINUTE_US


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class ReplayParams:
    """Recorded bars in ticks: open, high, low, close of each minute, [K, 4]."""

    bars: Array


def minutes_needed(blocks: int, block_us: int) -> int:
    """Whole minutes that a run of so many blocks replays."""
    return -(-blocks * block_us // MINUTE_US)


def replay_path(
    key: Array, params: ReplayParams, *, blocks: int, block_us: int
) -> Int[Array, " T"]:
    """Ticks per block through the bars; the first block stands at the first open.

    Blocks longer than 15 s see bars of as many minutes as hold four blocks.

    Raises:
        ValueError: there are fewer bars than the run has minutes.
    """
    minutes = minutes_needed(blocks, block_us)
    if params.bars.shape[-2] < minutes:
        raise ValueError(f"{params.bars.shape[-2]} bars for a run of {minutes} minutes")
    group = -(-LEAST_BLOCKS * block_us // MINUTE_US)
    grid = bar_grid(blocks, block_us, group * MINUTE_US)
    bars = merge_bars(params.bars[:minutes], group, grid.size.size)
    return bridge(key, bars, grid)
