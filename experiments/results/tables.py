"""From the integers of a shard to the columns that people read.

Money becomes dollars and prices become dollars; microseconds, blocks, counts and parts
per million stay whole numbers under their own names. The conservation error stays in
quanta: it is exactly zero or something is broken.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.engine import Layout, MetricLike, SeriesLike, root_text
from experiments.fleet.plan import Lane
from experiments.fleet.simulate import ShardResult
from experiments.results.columns import EXACT
from market.numbers.units import QUANTA_PER_USD

#: What a column is called after its unit has been turned into a friendly one.
FRIENDLY_UNITS = {"quanta": "USD"}


def is_money(name: str, info: MetricLike | SeriesLike) -> bool:
    """Whether a column is shown in dollars instead of quanta."""
    return info.unit == "quanta" and name != EXACT


def describe_metrics(metrics: Mapping[str, MetricLike]) -> dict[str, dict[str, Any]]:
    """Unit, meaning and direction of every metric column, for the manifest."""
    return {
        name: {
            "unit": "USD" if is_money(name, info) else info.unit,
            "meaning": info.meaning,
            "better": info.better,
            "label": info.label,
        }
        for name, info in metrics.items()
    }


def describe_series(series: Mapping[str, SeriesLike]) -> dict[str, dict[str, Any]]:
    """Unit, meaning and kind of every series, for the manifest."""
    return {
        name: {
            "unit": "USD" if info.unit in ("quanta", "ticks") else info.unit,
            "meaning": info.meaning,
            "per_market": info.per_market,
            "cumulative": info.cumulative,
        }
        for name, info in series.items()
    }


def runs_table(
    result: ShardResult,
    axes: list[dict[str, Any]],
    seed: int,
    metrics: Mapping[str, MetricLike],
) -> pa.Table:
    """One row a run.

    A metric that the world of this shard does not have is 0 there: it is the profit of
    a group that takes part at other points of the sweep, and nobody earns nothing.

    Args:
        result: what a shard gave.
        axes: sweep axis -> label, by point.
        seed: the experiment's seed.
        metrics: those to keep.
    """
    lanes = result.shard.lanes
    columns: dict[str, pa.Array] = {
        "point": pa.array([lane.point for lane in lanes], pa.int32()),
        "run": pa.array([lane.run for lane in lanes], pa.int32()),
        "seed": pa.array([seed] * len(lanes), pa.int64()),
        "state_root": pa.array([root_text(row) for row in result.state_root]),
        "status": pa.array(result.status.astype(np.int64)),
        EXACT: pa.array(result.metrics[EXACT].astype(np.int64)),
    }
    columns |= _axis_columns(lanes, axes)
    nobody = np.zeros(len(lanes), np.int64)
    for name, info in metrics.items():
        if name != EXACT:
            values = result.metrics.get(name, nobody).astype(np.int64)
            columns[name] = pa.array(
                values / QUANTA_PER_USD if is_money(name, info) else values
            )
    return pa.table(columns)


def _axis_columns(
    lanes: tuple[Lane, ...], axes: list[dict[str, Any]]
) -> dict[str, pa.Array]:
    """One column per sweep axis; numbers if all its labels are numbers, else text."""
    columns = {}
    for axis in axes[0] if axes else ():
        labels = [point[axis] for point in axes]
        if all(isinstance(label, int) for label in labels):
            kind = pa.int64()
        elif all(isinstance(label, int | float) for label in labels):
            kind = pa.float64()
        else:
            kind = pa.string()
        cast = str if kind == pa.string() else lambda label: label
        columns[axis] = pa.array([cast(labels[lane.point]) for lane in lanes], kind)
    return columns


def series_table(
    result: ShardResult, series: Mapping[str, SeriesLike], layout: Layout
) -> pa.Table | None:
    """One row a run and sample; per-market series as ``name.MARKET``.

    Sample ``s`` is the state after ``(s + 1) * series_every`` blocks, the last one at
    the end of the run at the latest. None where the shard sampled nothing.
    """
    lanes = result.shard.lanes
    samples = min((v.shape[1] for v in result.series.values()), default=0)
    if samples == 0:
        return None
    block = np.minimum((np.arange(samples) + 1) * layout.series_every, layout.blocks)
    columns: dict[str, Any] = {
        "point": np.repeat(np.array([x.point for x in lanes], np.int32), samples),
        "run": np.repeat(np.array([x.run for x in lanes], np.int32), samples),
        "block": np.tile(block.astype(np.int32), len(lanes)),
        "time_s": np.tile(block * layout.block_s, len(lanes)),
    }
    for name, info in series.items():
        if name in result.series:
            columns |= _series_columns(name, result.series[name], info, layout)
    return pa.table(columns)


def _series_columns(
    name: str, values: np.ndarray, info: SeriesLike, layout: Layout
) -> dict[str, np.ndarray]:
    if not info.per_market:
        flat = values.reshape(-1)
        return {name: flat / QUANTA_PER_USD if info.unit == "quanta" else flat}
    columns = {}
    for market, label in enumerate(layout.markets):
        flat = values[:, :, market].reshape(-1)
        if info.unit == "quanta":
            flat = flat / QUANTA_PER_USD
        elif info.unit == "ticks":
            # A price of zero stands for no price: a side of the book was empty.
            flat = np.where(flat > 0, flat * layout.tick_usd[market], np.nan)
        columns[f"{name}.{label}"] = flat
    return columns
