"""Running an experiment from Python, and reading what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from experiments import runner
from experiments.conclusion import Summary
from experiments.config import Experiment, load
from experiments.engine import engine_name
from experiments.preparation import prepare
from experiments.results.store import Store

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Results:
    """A run directory and what came of the run.

    Attributes:
        path: the run directory.
        summary: outcomes of the checks, failed shards, runs finished.
    """

    path: Path
    summary: Summary

    @property
    def runs(self) -> "pd.DataFrame":
        """One row a run: point, run, seed, state root, every metric."""
        return Store(self.path).runs().to_pandas()

    @property
    def manifest(self) -> dict[str, Any]:
        """What was run, on what, with which versions."""
        return Store(self.path).read_manifest()

    @property
    def is_sound(self) -> bool:
        """Whether every run was finished and every check holds."""
        outcomes = self.summary.outcomes
        complete = self.summary.finished == self.summary.total
        return complete and all(outcome.passed for outcome in outcomes)


def run(
    config: str | Path | Mapping[str, Any] | Experiment,
    out: str | Path | None = None,
    overrides: Mapping[str, Any] | Sequence[str] = (),
    *,
    workers: int | None = None,
    address: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Results:
    """Runs an experiment into a folder, like ``shakeout run``.

    Args:
        config: a ready scenario's name, a config file, the config itself, or what
            `load` made of one.
        out: the run directory; ``runs/<name>-<hash>``, if None.
        overrides: values by dotted key, such as ``{"runs": 4}``.
        workers: processes; 0 stays in this one, None chooses.
        address: of a Ray cluster; None starts one here.
        resume: go on where an earlier run into ``out`` stopped.
        overwrite: forget what an earlier run left there.

    Raises:
        ConfigError: anything is wrong with the config or the folder; nothing has been
            computed then.
    """
    given = isinstance(config, Experiment)
    if given and overrides:
        raise TypeError("overrides belong to `load`, where the experiment was read")
    experiment = config if given else load(config, overrides)
    prepared = prepare(experiment, engine_name())
    where = Path(out) if out is not None else runner.default_folder(experiment)
    options = runner.Options(where, workers, address, resume, overwrite, engine_name())
    return Results(where, runner.run(prepared, options, Console()))
