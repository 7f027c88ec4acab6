"""Reading a config: from a file, a ready scenario or a mapping, with overrides."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.config import (
    documents,
    files,
    kinds,
    labels,
    paths,
    plugins,
    sweep,
)
from experiments.config.errors import ConfigError, shortened, shown, unknown
from experiments.config.errors import Path as KeyPath
from experiments.config.experiment import Experiment, expand
from experiments.config.yaml_reader import read_yaml

SCENARIOS = Path(__file__).parents[1] / "scenarios"
#: Bytes of a config file.
MAX_CONFIG_BYTES = 4 * files.MB


def find_config(name: str) -> Path:
    """The file of a config: a path, or the name of a ready scenario."""
    path = files.expanded(name)
    if os.path.isfile(path):
        return path
    if name in scenario_names():
        return SCENARIOS / f"{name}.yaml"
    if os.path.lexists(path):
        return path  # a folder, a pipe, a link to nowhere: reading it says so
    if path.suffix in (".yaml", ".yml", ".json") or "/" in name:
        raise ConfigError(f"{shortened(name)}: no such file")
    raise ConfigError(unknown("scenario", name, scenario_names()))


def scenario_names() -> list[str]:
    """Names of the ready scenarios."""
    return sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def load(
    source: str | Path | Mapping[str, Any],
    overrides: Sequence[str] | Mapping[str, Any] = (),
) -> Experiment:
    """Reads a config, overrides keys of it, and expands its sweep.

    Args:
        source: a config file, the name of a ready scenario, or the config itself.
        overrides: values by dotted key, or ``KEY=VALUE`` as on the command line.

    Raises:
        ConfigError: anything is wrong with it; nothing has been computed then.
    """
    here = Path.cwd()
    if isinstance(source, Mapping):
        homes = [here]
        document, origins = paths.in_document(dict(source), homes), {}
    else:
        file = find_config(str(source))
        homes = [here, file.parent]
        document, origins = _read_file(file)
        document = paths.in_document(document, [file.parent, here])
    if isinstance(overrides, Mapping):
        return expand(_overridden(document, overrides.items(), homes), origins)
    try:
        given = [_parsed(override, origins) for override in overrides]
        document = _overridden(document, given, homes)
    except ConfigError as error:
        raise ConfigError([f"--set: {problem}" for problem in error.problems]) from None
    return expand(document, origins)


def _read_file(path: Path) -> tuple[dict, dict[KeyPath, str]]:
    """The document of a file, and where each of its keys stands."""
    if path.parent != SCENARIOS:
        plugins.look_in(Path.cwd())
        plugins.look_in(path.parent)
    source = path.name
    read = read_yaml(files.read_text(path, MAX_CONFIG_BYTES), source)
    document = read.value if read.value is not None else {}
    if not isinstance(document, dict):
        raise ConfigError(
            f"{source}: must map keys to values, not be {shown(document)}"
        )
    origins: dict[KeyPath, str] = {(): source}
    for key, line in read.lines.items():
        origins[key] = f"{source}:{line}"
    return document, origins


def _parsed(override: str, origins: dict[KeyPath, str]) -> tuple[str, Any]:
    """Key and value of a ``KEY=VALUE``, which becomes the origin of what it sets."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"{shortened(override)}: must be KEY=VALUE")
    label = f"--set {shortened(override)}"
    value = read_yaml(text, label).value
    axis = _axis_of(key)
    path = ("sweep", axis) if axis else documents.parse_key(key)
    for known in [known for known in origins if known[: len(path)] == path]:
        del origins[known]
    origins[path] = label
    return key, value


def _axis_of(key: str) -> str:
    """``venue.taker_fee`` of ``sweep.venue.taker_fee``: an axis is one key."""
    section, _, axis = key.partition(".")
    return axis if section == "sweep" else ""


def _overridden(
    document: dict, given: Iterable[tuple[str, Any]], homes: Sequence[Path]
) -> dict:
    """The document with every override, none of which an axis of its sweep undoes."""
    before = document
    overrides = [(key, _with_whole_paths(key, value, homes)) for key, value in given]
    for key, value in overrides:
        if axis := _axis_of(key):
            swept = document.get("sweep")
            axes = swept if isinstance(swept, dict) else {}
            document = {**document, "sweep": {**axes, axis: value}}
        else:
            document = documents.with_value(document, key, value)
    document = kinds.without_old_kinds(before, document, overrides)
    settings = sweep.axes_of(document)
    for key, value in overrides:
        if key.partition(".")[0] != "sweep":
            labels.refuse_lost_override(key, value, settings)
    return document


def _with_whole_paths(key: str, value: Any, homes: Sequence[Path]) -> Any:
    """The value of an override, whose files are looked for where it was given."""
    if axis := _axis_of(key):
        return paths.in_axis(axis, value, homes)
    if key == "sweep":
        return paths.in_document({"sweep": value}, homes)["sweep"]
    return paths.in_value(documents.parse_key(key), value, homes)
