"""What a block of the exchange is given from outside, as one record."""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
from jax import Array


class Turn(NamedTuple):
    """What the transactions of a block must know of it.

    Attributes:
        block: [] its number; orders expire in it.
        seed_word: [] random word; picks whose deleveraging is tried first, and where a
            walk starts to look for counterparties.
        now_us: [] its time; only a cooldown asks for it.
    """

    block: Array
    seed_word: Array
    now_us: Array | int = 0


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Environment:
    """The surroundings of one block: its place in time, and what it is told.

    Attributes:
        block: [] number of the block in time, made or not; funding's clock runs on it.
        height: [] blocks made so far; orders expire in it.
        is_halted: [] bool; the sequencer makes no block.
        reports: [M, N] oracle reports in ticks, 0 where a reporter is silent.
        seed_word: [] random word of the block, for deleveraging.
        block_us: length of a block in microseconds; static.
    """

    block: Array
    height: Array
    is_halted: Array
    reports: Array
    seed_word: Array
    block_us: int = field(metadata={"static": True})

    @property
    def turn(self) -> Turn:
        """What of it the transactions must know."""
        return Turn(self.height, self.seed_word, self.now_us)

    @property
    def now_us(self) -> Array:
        """Start of the block, microseconds since the start of the run."""
        return self.block * self.block_us

    @property
    def end_us(self) -> Array:
        """End of the block, which is the start of the next."""
        return self.now_us + self.block_us
