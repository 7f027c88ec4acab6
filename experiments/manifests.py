"""The manifest of a run directory: what was run, on what, and with which faults."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments import provenance
from experiments.config import Config, Experiment, expand, plugins
from experiments.config.errors import ConfigError
from experiments.engine import Engine, World
from experiments.fleet.plan import group_points
from experiments.results import columns
from experiments.results import tables as metrics

#: Runs of a point whose random fault windows are noted in the manifest.
MAX_WINDOW_RUNS = 256


def manifest_of(
    experiment: Experiment,
    engine: Engine,
    worlds: Sequence[World],
    previous: dict[str, Any] | None,
) -> dict[str, Any]:
    """The manifest of an experiment that starts now, or that goes on.

    Args:
        experiment: what is run.
        engine: what runs it.
        worlds: of its points.
        previous: the manifest of the run that is gone on with.
    """
    base = experiment.configs[0]
    shape = engine.layout(base)
    kept = columns.kept(engine.metrics(worlds), experiment.config.metrics)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    earlier = previous or {}
    return {
        "name": experiment.config.name,
        "config_hash": experiment.hash,
        "config": experiment.as_document(),
        "plugins": experiment.plugins,
        "plugin_folders": [
            str(path) for path in plugins.folders() if experiment.plugins
        ],
        "axes": experiment.axes,
        "points": [
            {
                "point": point.number,
                "label": point.label,
                "axes": point.axes,
                "faults": fault_windows(config),
            }
            for point, config in zip(experiment.points, experiment.configs, strict=True)
        ],
        "fault_windows": _drawn_windows(experiment, engine, worlds),
        "runs": experiment.config.runs,
        "seed": experiment.config.seed,
        "markets": list(shape.markets),
        "block_s": shape.block_s,
        "blocks": base.world.length,
        "series_every": shape.series_every,
        "agents": base.participants,
        "programs": len(group_points(worlds)),
        "columns": metrics.describe_metrics(kept),
        "series": metrics.describe_series(engine.SERIES),
        **provenance.provenance(),
        "started": earlier.get("started", now),
        "resumed": [*earlier.get("resumed", []), *([now] if previous else [])],
        "device": earlier.get("device"),
        "wall_s": earlier.get("wall_s", 0.0),
        "compile_s": earlier.get("compile_s", 0.0),
        "run_s": earlier.get("run_s", 0.0),
        "peak_bytes": earlier.get("peak_bytes", 0),
        "status": "running",
        "failures": [],
    }


def _drawn_windows(
    experiment: Experiment, engine: Engine, worlds: Sequence[World]
) -> list[dict[str, Any]]:
    """Where faults are random: the windows of each run, of every point that has any."""
    drawn = []
    for point, config in enumerate(experiment.configs):
        if any(fault["random"] for fault in fault_windows(config)):
            runs = min(experiment.config.runs, MAX_WINDOW_RUNS)
            seed = experiment.config.seed
            windows = engine.fault_windows(worlds[point], seed, runs)
            drawn += [{"point": point, **window} for window in windows]
    return drawn


def fault_windows(config: Config) -> list[dict[str, Any]]:
    """The faults of a point in seconds; of a random one, its expected window."""
    return [
        {
            "kind": fault.kind,
            "title": fault.fault.title,
            "start_s": fault.start / 1e6,
            "end_s": (fault.start + fault.duration) / 1e6,
            "severity": fault.severity / 1e6,
            "targets": [*fault.targets, *fault.transactions],
            "random": bool(fault.chance < 1_000_000 or fault.jitter or fault.spread),
        }
        for fault in config.faults
    ]


def experiment_of(manifest: dict) -> Experiment:
    """The experiment that a manifest describes.

    Raises:
        ConfigError: this version reads another experiment from the same config.
    """
    for folder in manifest.get("plugin_folders", []):
        plugins.look_in(Path(folder))
    experiment = expand(manifest["config"])
    if experiment.hash != manifest["config_hash"]:
        raise ConfigError(
            f"the config of the manifest has the hash {experiment.hash[:12]} here, "
            f"{manifest['config_hash'][:12]} there: it was written by another version, "
            "or its price file or the source of a plug-in has changed"
        )
    return experiment
