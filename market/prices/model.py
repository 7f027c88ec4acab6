"""What a price model is: how the first market's outside price moves.

A model is one record: the class of its numbers and a pure function from a key to a
path. Its numbers are declared (`market.numbers.declared`), so that a config can give
and sweep them. A model from outside the lab is named in a config by its import path.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from jax import Array


class Path(Protocol):
    """Draws the path of one run."""

    def __call__(
        self,
        key: Array,
        start_ticks: Array,
        params: Any,
        *,
        blocks: int,
        block_us: int,
    ) -> Array:
        """Ticks of each block, int64 [T], all from 1 to `MAX_OUTSIDE_TICKS`.

        Args:
            key: for draws of a whole run, by streams of `market.numbers.randomness`.
            start_ticks: [] the first price, at which the path starts.
            params: the model's numbers.
            blocks: T.
            block_us: length of a block in microseconds.
        """
        ...


def _serves_any_run(params: Any, blocks: int, block_us: int) -> None:
    """Nothing to refuse."""


@dataclass(frozen=True)
class PriceModel:
    """A model of the first market's outside price.

    Attributes:
        name: what a config calls it.
        params: class of its numbers, a registered dataclass of int64 arrays.
        path: draws a path; pure, in integers.
        check: raises `PriceError` where its numbers cannot serve a run of so many
            blocks of so many microseconds.
    """

    name: str
    params: type
    path: Path
    check: Callable[[Any, int, int], None] = _serves_any_run
