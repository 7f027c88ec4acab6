"""Pins: what a finished experiment gave, kept to be compared with a later one.

A pin holds the state root of every run and the mean of every metric at every point.
The roots have to be equal, or, where the pin says `"roots": "ignore"`, only the figures
count, each within its bound: `absolute` in the figure's unit, `relative` as a share of
the pinned value, whichever is wider. A bound of a metric overrides that of `"*"`.
"""

import math
import re
import sys
from pathlib import Path
from typing import Any, cast

import pandas as pd

from experiments.config.errors import ConfigError, shortened, shown, unknown
from experiments.config.files import MB, read_json
from experiments.results.checks import Outcome
from experiments.results.columns import IDENTITY

PIN_VERSION = 1
#: Bytes of a pin; a million runs and their roots take half of it.
MAX_PIN_BYTES = 200 * MB
_STATE = re.compile(r"[0-9]{1,9}/[0-9]{1,9}")
_POINT = re.compile(r"[0-9]{1,9}")
_KEYS = {"pin", "name", "config_hash", "roots", "bounds", "states", "figures"}


def make_pin(manifest: dict[str, Any], runs: pd.DataFrame) -> dict[str, Any]:
    """The pin of an experiment; bounds of zero, to be widened by hand."""
    skip = {*IDENTITY, *manifest["axes"]}
    numeric = [
        name
        for name in runs.columns
        if name not in skip and pd.api.types.is_numeric_dtype(runs[name])
    ]
    return {
        "pin": PIN_VERSION,
        "name": manifest["name"],
        "config_hash": manifest["config_hash"],
        "roots": "equal",
        "bounds": {"*": {"absolute": 0, "relative": 0}},
        "states": {
            _key(point, run): root
            for point, run, root in runs[["point", "run", "state_root"]].itertuples(
                index=False
            )
        },
        "figures": {
            metric: {str(point): mean for point, mean in means_of(runs, metric).items()}
            for metric in numeric
        },
    }


def means_of(runs: pd.DataFrame, metric: str) -> dict[int, float]:
    """The mean of a metric over the runs of each point."""
    means = cast(pd.Series, runs.groupby("point")[metric].mean())
    points, values = means.index.to_numpy(), means.to_numpy(float)
    return dict(zip(points.tolist(), values.tolist(), strict=True))


def _key(point: int, run: int) -> str:
    return f"{point}/{run}"


def read_pin(path: Path) -> dict[str, Any]:
    """A pin from a file.

    Raises:
        ConfigError: the file is no pin of this version; says what is wrong where.
    """
    pin = read_json(path, MAX_PIN_BYTES)
    if not isinstance(pin, dict) or pin.get("pin") != PIN_VERSION:
        raise ConfigError(f"{path}: is not a pin (the key pin must be {PIN_VERSION})")
    for key in pin:
        if key not in _KEYS:
            raise ConfigError(f"{path}: {unknown('key', key, _KEYS)}")
    if pin.get("roots") not in ("equal", "ignore"):
        raise ConfigError(f"{path}: roots = {shown(pin.get('roots'))}: equal or ignore")
    pin.setdefault("bounds", {})
    for metric, bound in _mapping(pin, "bounds", path).items():
        _check_bound(path, metric, bound)
    if not isinstance(pin.get("config_hash"), str):
        raise ConfigError(f"{path}: config_hash must be text")
    for key, root in _mapping(pin, "states", path).items():
        if not (_STATE.fullmatch(key) and isinstance(root, str)):
            raise ConfigError(
                f"{path}: states.{shortened(key)}: must map POINT/RUN to a state root"
            )
    for metric, means in _mapping(pin, "figures", path).items():
        _check_means(path, metric, means)
    return pin


def _mapping(pin: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    if not isinstance(pin.get(key), dict):
        raise ConfigError(f"{path}: {key} must be a mapping")
    return pin[key]


def _check_bound(path: Path, metric: str, bound: Any) -> None:
    numbers: Any = bound.values() if isinstance(bound, dict) else [None]
    whole = isinstance(bound, dict) and set(bound) <= {"absolute", "relative"}
    if not whole or not all(_is_number(n) and n >= 0 for n in numbers):
        raise ConfigError(
            f"{path}: bounds.{shortened(metric)}: must map absolute, relative or both "
            "to numbers that are not negative"
        )


def _check_means(path: Path, metric: str, means: Any) -> None:
    points = means if isinstance(means, dict) else {"": None}
    if not all(_POINT.fullmatch(p) and _is_number(m) for p, m in points.items()):
        raise ConfigError(
            f"{path}: figures.{shortened(metric)}: must map numbers of points to means"
        )


def _is_number(value: Any) -> bool:
    """Whether a value of JSON is a number that figures can be compared with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # NaN is unlike itself; an integer may be larger than any float.
    return abs(value) <= sys.float_info.max or value != value


def compare_with_pin(
    pin: dict[str, Any], manifest: dict[str, Any], runs: pd.DataFrame
) -> list[Outcome]:
    """What moved since the pin was made: config, roots, figures."""
    outcomes = [
        Outcome(
            "pin: config_hash",
            pin["config_hash"] == manifest["config_hash"],
            manifest["config_hash"],
            pin["config_hash"],
            message="the pinned config is the same"
            if pin["config_hash"] == manifest["config_hash"]
            else f"the config is not the pinned one: {manifest['config_hash'][:12]} "
            f"instead of {pin['config_hash'][:12]}",
        )
    ]
    if pin["roots"] == "equal":
        outcomes.append(_compare_roots(pin["states"], runs))
    for metric, pinned in pin["figures"].items():
        bounds = pin.get("bounds", {})
        bound = bounds.get(metric, bounds.get("*", {}))
        outcomes.append(_compare_figure(metric, pinned, bound, runs))
    return outcomes


def _compare_roots(pinned: dict[str, str], runs: pd.DataFrame) -> Outcome:
    found = {
        _key(point, run): root
        for point, run, root in runs[["point", "run", "state_root"]].itertuples(
            index=False
        )
    }
    moved = [key for key, root in pinned.items() if found.get(key) != root]
    if not moved:
        return Outcome(
            "pin: state roots", True, message=f"all {len(pinned)} state roots are equal"
        )
    point, run = map(int, moved[0].split("/"))
    value = found.get(moved[0], "no such run")
    return Outcome(
        "pin: state roots",
        False,
        value,
        pinned[moved[0]],
        {"point": point, "run": run},
        f"{len(moved)} of {len(pinned)} state roots moved, first at point {point}, run "
        f"{run}: {value} instead of {pinned[moved[0]]}",
    )


def _compare_figure(
    metric: str, pinned: dict[str, float], bound: dict[str, float], runs: pd.DataFrame
) -> Outcome:
    check = f"pin: mean({metric})"
    if metric not in runs.columns:
        return Outcome(
            check, False, message=f"{metric} is not among the metrics any more"
        )
    if not pd.api.types.is_numeric_dtype(runs[metric]):
        return Outcome(check, False, message=f"{metric} holds no numbers any more")
    means = means_of(runs, metric)
    worst: tuple[float, Outcome] | None = None
    for key, old in pinned.items():
        point = int(key)
        new = means.get(point, float("nan"))
        allowed = max(bound.get("absolute", 0), bound.get("relative", 0) * abs(old))
        moved = abs(new - old)
        # A figure that no run had then, and none has now, has not moved.
        holds = moved <= allowed or (math.isnan(old) and math.isnan(new))
        outcome = Outcome(
            check,
            holds,
            new,
            old,
            {"point": point},
            f"{metric}: {new!r} at point {point}, pinned {old!r} ± {allowed!r}",
        )
        excess = (
            -1.0 if holds else (moved - allowed if moved == moved else float("inf"))
        )
        if worst is None or excess > worst[0]:
            worst = (excess, outcome)
    return worst[1] if worst else Outcome(check, True, message="nothing pinned")
