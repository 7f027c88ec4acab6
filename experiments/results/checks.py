"""Checks of an experiment: what its config demands, and what a pin remembers.

The outcome of a check names what moved: the point, the run, the value and the
threshold.
"""

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from experiments.results.arithmetic import apply
from experiments.results.expressions import Check, Kind, parse_check

#: Demanded of every experiment: no run reports a broken invariant.
SOUND = "status == 0"


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Attributes:
        check: as written.
        passed: whether it holds everywhere.
        value: left side at the worst place, if the check is one comparison.
        threshold: right side there.
        worst: point, and run and seed where it is about single runs.
        message: one sentence.
    """

    check: str
    passed: bool
    value: float | str | None = None
    threshold: float | str | None = None
    worst: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""

    def as_json(self) -> dict[str, Any]:
        """For checks.json."""
        return asdict(self)


def evaluate_checks(
    texts: Sequence[str], runs: pd.DataFrame, labels: Mapping[int, str]
) -> list[Outcome]:
    """Evaluates checks over the table of runs; `SOUND` always comes first.

    Args:
        texts: the checks of the config.
        runs: the table of runs.
        labels: what to call each point.
    """
    ordered = [SOUND, *(text for text in texts if text != SOUND)]
    kinds = kinds_of(runs)
    return [_evaluate(parse_check(text, kinds), runs, labels) for text in ordered]


def kinds_of(runs: pd.DataFrame) -> dict[str, Kind]:
    """What each column of a table holds."""
    return {
        str(name): Kind.NUMBER
        if pd.api.types.is_numeric_dtype(runs[name])
        else Kind.TEXT
        for name in runs.columns
    }


def _evaluate(check: Check, runs: pd.DataFrame, labels: Mapping[int, str]) -> Outcome:
    places = _per_point(check, runs) if check.per_point else _per_run(check, runs)
    failed = [place for place in places if not place["holds"]]
    worst = max(failed or places, key=lambda place: place["excess"], default=None)
    if worst is None:
        return Outcome(check.text, False, message=f"{check.text}: there are no runs")
    where = {key: worst[key] for key in ("point", "run", "seed") if key in worst}
    unit = "point" if check.per_point else "run"
    extent = f"{len(failed)} of {len(places)} {unit}s"
    if failed:
        at = f"point {where['point']} ({labels.get(where['point'], '')})"
        if "run" in where:
            at += f", run {where['run']}, seed {where['seed']}"
        moved = f": {worst['value']!r} there" if worst["value"] is not None else ""
        message = f"{check.text}: fails at {extent}, worst at {at}{moved}"
    else:
        message = f"{check.text}: holds at all {len(places)} {unit}s"
    return Outcome(
        check.text, not failed, worst["value"], worst["threshold"], where, message
    )


def _per_run(check: Check, runs: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {name: runs[name].tolist() for name in check.names}
    holds = check.holds(columns)
    sides = check.sides(columns) or ([None] * len(runs),) * 2
    identity = (runs[name].tolist() for name in ("point", "run", "seed"))
    return [
        {"point": point, "run": run, "seed": seed, "holds": held, **_measured(*pair)}
        for point, run, seed, held, pair in zip(
            *identity, holds, zip(*sides, strict=True), strict=True
        )
    ]


def _per_point(check: Check, runs: pd.DataFrame) -> list[dict[str, Any]]:
    places = []
    for point, rows in runs.groupby("point"):
        columns = {name: rows[name].tolist() for name in check.names}
        sides = check.sides(columns) or (None, None)
        held = {"point": int(str(point)), "holds": check.holds(columns)}
        places.append({**held, **_measured(*sides)})
    return places


def _measured(value: Any, threshold: Any) -> dict[str, Any]:
    """Value and threshold as JSON has them, and how far they are apart."""
    if value is None or threshold is None:
        return {"value": None, "threshold": None, "excess": 0.0}
    distance = abs(apply(operator.sub, value, threshold))
    return {
        "value": _plain(value),
        "threshold": _plain(threshold),
        "excess": math.inf if math.isnan(distance) else distance,
    }


def _plain(number: float) -> float | str:
    """A number as JSON has it: what is infinite or none is a text."""
    return number if isinstance(number, int) or math.isfinite(number) else str(number)


def write_junit(path: Path, name: str, outcomes: Iterable[Outcome]) -> None:
    """Writes the outcomes as JUnit XML, value and threshold as properties."""
    outcomes = list(outcomes)
    failures = sum(not outcome.passed for outcome in outcomes)
    suite = ElementTree.Element(
        "testsuite",
        name=f"shakeout.{name}",
        tests=str(len(outcomes)),
        failures=str(failures),
        errors="0",
    )
    for outcome in outcomes:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"shakeout.{name}", name=outcome.check
        )
        properties = ElementTree.SubElement(case, "properties")
        noted = {
            "value": outcome.value,
            "threshold": outcome.threshold,
            **outcome.worst,
        }
        for key, value in noted.items():
            if value is not None:
                ElementTree.SubElement(
                    properties, "property", name=key, value=str(value)
                )
        if not outcome.passed:
            failure = ElementTree.SubElement(case, "failure", message=outcome.message)
            failure.text = outcome.message
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    tree = ElementTree.ElementTree(suites)
    ElementTree.indent(tree)
    path.parent.mkdir(parents=True, exist_ok=True)
    tree.write(path, encoding="utf-8", xml_declaration=True)
