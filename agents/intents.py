"""What a family's code is written with: transactions by columns, choices by rows."""

from dataclasses import fields, replace

import jax
import jax.numpy as jnp
from jax import Array

from market.types.orders import Tx


def transactions(shape: tuple[int, ...], **columns: Array | int) -> Tx:
    """Transactions of a shape from the columns that matter; the rest is zero.

    Raises:
        TypeError: a column is unknown, or its values are not whole.
        ValueError: a value does not fit 64 bits.
    """
    values = {}
    for field in fields(Tx):
        value = _whole(field.name, columns.pop(field.name, 0))
        values[field.name] = jnp.broadcast_to(value, shape)
    if columns:
        raise TypeError(f"a transaction has no {', '.join(columns)}")
    return Tx(**values)


def _whole(name: str, value: Array | int) -> Array:
    """A column as int64.

    Raises:
        TypeError: it has decimals, which would be cut off unseen.
        ValueError: it does not fit 64 bits.
    """
    try:
        column = jnp.asarray(value)
    except OverflowError:
        raise ValueError(f"{name} = {value}: does not fit 64 bits") from None
    if not jnp.issubdtype(column.dtype, jnp.integer) and column.dtype != bool:
        raise TypeError(
            f"{name} is {column.dtype}: a transaction's columns are whole numbers"
        )
    return column.astype(jnp.int64)


def stacked(*intents: Tx) -> Tx:
    """Intents [N] each, stacked to [N, K] in this order."""
    return jax.tree.map(lambda *columns: jnp.stack(columns, axis=1), *intents)


def only(intents: Tx, wanted: Array) -> Tx:
    """Empties the intents that are not ``wanted``."""
    return replace(intents, kind=jnp.where(wanted, intents.kind, 0))


def chosen(condition: Array, new: Tx, old: Tx) -> Tx:
    """``new`` where the condition [N] holds, else ``old``; member by member."""
    return jax.tree.map(lambda one, other: jnp.where(condition, one, other), new, old)


def pick(table: Array, market: Array) -> Array:
    """Row-wise choice: table [N, M] or [M] at market [N]."""
    if table.ndim == 1:
        return table[market]
    return jnp.take_along_axis(table, market[:, None], axis=1)[:, 0]


def lots_for(notional: Array, ticks: Array, multiplier: Array) -> Array:
    """Lots that a notional buys at a price, rounded down; 0 for nothing."""
    return jnp.maximum(notional, 0) // jnp.maximum(ticks * multiplier, 1)
