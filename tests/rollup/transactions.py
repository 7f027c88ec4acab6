"""Transactions from rows of numbers, and back."""

import numpy as np

from market.numbers.units import as_int
from market.types.orders import Kind, Tx

COLUMNS = tuple(Tx.__dataclass_fields__)


def txs(rows, size: int | None = None) -> Tx:
    """One record a row, a dict of what matters; empty ones up to ``size``."""
    rows = list(rows)
    table = np.zeros((size if size is not None else len(rows), len(COLUMNS)), np.int64)
    for place, row in enumerate(rows):
        for name, value in {"kind": Kind.ORDER, **row}.items():
            table[place, COLUMNS.index(name)] = value
    return Tx(**{name: as_int(table[:, i]) for i, name in enumerate(COLUMNS)})


def column(records: Tx, name: str = "sent_us", live_only: bool = True) -> list[int]:
    """One column of the records, without the empty ones."""
    values = np.asarray(getattr(records, name))
    live = np.asarray(records.kind) != Kind.NONE
    return values[live].tolist() if live_only else values.tolist()
