"""Replays recorded one-minute bars, with a random path inside each."""

from dataclasses import dataclass

import jax
from jaxtyping import Array, Int

from market.prices.bars import MINUTE_US
from market.prices.bridge import LEAST_BLOCKS, bar_grid, bridge, merge_bars
from market.prices.model import PriceModel
from market.prices.ticks import PriceError


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


def check_replay(params: ReplayParams, blocks: int, block_us: int) -> None:
    """Refuses a file that is shorter than the run.

    Raises:
        PriceError: says how many minutes there are, and how many are needed.
    """
    have, need = params.bars.shape[-2], minutes_needed(blocks, block_us)
    if have < need:
        raise PriceError(
            f"the price file holds {have} minutes from the start minute on, the run "
            f"lasts {need}; shorten the run or start earlier in the file"
        )


def _path(
    key: Array,
    start_ticks: Array,
    params: ReplayParams,
    *,
    blocks: int,
    block_us: int,
) -> Int[Array, " T"]:
    """A replay starts where its file does."""
    return replay_path(key, params, blocks=blocks, block_us=block_us)


REPLAY = PriceModel("replay", ReplayParams, _path, check_replay)
