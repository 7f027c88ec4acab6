"""Writes named columns of a trace, update by update.

Host code on numpy.
"""

import numpy as np

from rollup.stark.rules.arithmetic import P
from rollup.stark.rules.layout import Layout, layout_for
from rollup.stark.rules.parameters import LIMB, LIMB_BITS, ROWS, StarkParameters
from rollup.stark.witness.witness import Witness


class TraceBuilder:
    """Writes named columns of ``cells`` [columns, K, 16]."""

    def __init__(self, witness: Witness, parameters: StarkParameters):
        self.layout: Layout = layout_for(parameters.markets)
        self.parameters = parameters
        self.witness = witness
        shape = (self.layout.width, parameters.capacity, ROWS)
        self.cells = np.zeros(shape, np.uint32)
        #: lane of the witness that each update slot shows; idle beyond the batch
        self.lanes = np.minimum(np.arange(parameters.capacity), witness.updates)
        self.streams: dict[str, np.ndarray] = {}

    def held(self, name: str, i: int, values) -> None:
        """A value of each update on all its rows."""
        residues = np.asarray(np.asarray(values) % P).astype(np.uint32)
        self.cells[self.layout.at(name, i)] = residues[self.lanes][:, None]

    def lane(self, name: str, digits: np.ndarray) -> None:
        """Digits [U+1, count] of each update on its first rows."""
        count = digits.shape[1]
        self.cells[self.layout.at(name), :, :count] = digits[self.lanes]

    def cell(self, name: str, row: int, values) -> None:
        """One value of each update on one row."""
        self.cells[self.layout.at(name), :, row] = np.asarray(values)[self.lanes]

    def signed(self, name: str, i: int = 0) -> np.ndarray:
        """A column as int64 [K, 16]."""
        return self.cells[self.layout.at(name, i)].astype(np.int64)


def digits(values, count: int) -> np.ndarray:
    """Base-2^12 digits [N, count] (two's complement) of Python or numpy integers."""
    values = np.asarray(values)
    columns = [(values >> (LIMB_BITS * i)) & (LIMB - 1) for i in range(count)]
    return np.stack(columns, axis=1).astype(np.int64)
