"""What a config may name: something of ours, or the user's own by import path.

Wherever a config names an ordering scheme, a family, an agent class, a fault, a metric
or a price model, it may name ``package.module:Name`` instead. A section declares such
a key by `named`, and whoever builds the world asks `resolve` for the thing itself:

    policy: named(SCHEME) = "fcfs"
    scheme = resolve(config.sequencer.policy, SCHEME)

Modules are looked for where Python always looks, then in the current folder, then
beside the config file. The source that an import path leads to is part of the
experiment (`experiments.config.plugin_sources`).
"""

import importlib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, WithJsonSchema

from experiments.config.errors import nearest, shown, unknown
from experiments.config.values import wrong_value
from shakeout import namesakes

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_EXAMPLE = "package.module:Name"
#: Tells a worker process where the driver found plug-ins.
FOLDERS_VARIABLE = "SHAKEOUT_PLUGIN_FOLDERS"
#: The lab's own packages: no module of a user's can have their names.
OURS = (*namesakes.PACKAGES, "shakeout")


@dataclass(frozen=True)
class PluginKind:
    """One kind of thing that a config names.

    Attributes:
        word: what a message calls it, with its article.
        registry: import path of our own ones, a mapping by name; empty without any.
        contract: import path of the class that says what such a thing has.
        is_class: whether a class that derives from the contract is named; otherwise a
            value that has what the contract has.
    """

    word: str
    registry: str
    contract: str
    is_class: bool = False

    @property
    def ours(self) -> Mapping[str, Any]:
        """Our own ones by name."""
        return _attribute(self.registry) if self.registry else {}

    @property
    def members(self) -> list[str]:
        """The names that the contract asks of a value."""
        return members_of(_attribute(self.contract))


SCHEME = PluginKind(
    "an ordering scheme",
    "rollup.sequencing:SCHEMES",
    "rollup.sequencing.contract:Scheme",
)
FAULT = PluginKind("a fault", "rollup.faults:FAULTS", "rollup.faults.contract:Fault")
FAMILY = PluginKind("a family", "agents.families:FAMILIES", "agents.family:Family")
AGENT = PluginKind("an agent class", "", "agents.lab.guest:Guest", is_class=True)
METRIC = PluginKind(
    "a metric", "agents.measure.metrics:METRICS", "agents.measure.contract:Metric"
)
PRICE_MODEL = PluginKind(
    "a price model", "market.prices:MODELS", "market.prices.model:PriceModel"
)


class PluginError(ValueError):
    """An import path leads to nothing, or to something of another kind."""


class ImportPath(str):
    """The validated import path of something of the user's own."""

    __slots__ = ()

    @property
    def module(self) -> str:
        """The module that holds it."""
        return self.partition(":")[0]


def is_path(text: str) -> bool:
    """Whether a name is meant as an import path."""
    return ":" in text


def named(kind: PluginKind) -> Any:
    """The type of a key that names one of this kind."""

    def check(text: str) -> str:
        return _checked(text, kind)

    schema = {"type": "string", "description": f"a name, or {_EXAMPLE} of one's own"}
    return Annotated[str, AfterValidator(check), WithJsonSchema(schema)]


def own_path(kind: PluginKind) -> Any:
    """The type of a name that others check, or of an import path of this kind."""

    def check(text: str) -> str:
        return _checked(text, kind) if is_path(text) else text

    return Annotated[str, AfterValidator(check)]


def _checked(text: str, kind: PluginKind) -> str:
    try:
        resolve(text, kind)
    except PluginError as error:
        raise wrong_value(str(error)) from None
    return ImportPath(text) if is_path(text) else text


def resolve(text: str, kind: PluginKind) -> Any:
    """The thing that a name or an import path stands for.

    Raises:
        PluginError: there is none, or it is not of this kind; says what is missing.
    """
    if text in kind.ours:
        return kind.ours[text]
    if kind.registry and not is_path(text):
        word = kind.word.partition(" ")[2]
        raise PluginError(f"{unknown(word, text, kind.ours)}, or {_EXAMPLE}")
    thing = load_path(text)
    if problem := problem_of(thing, kind):
        raise PluginError(f"{text} {problem}")
    return thing


def load_path(text: str) -> Any:
    """Imports what an import path names.

    Raises:
        PluginError: it is not written as one, its module is not there or fails, or the
            module has no such name.
    """
    if not _PATH.fullmatch(text):
        raise PluginError(f"{shown(text)} is not an import path such as {_EXAMPLE}")
    name, _, attribute = text.partition(":")
    module = import_user_module(name)
    if not hasattr(module, attribute):
        names = [each for each in vars(module) if not each.startswith("_")]
        raise PluginError(
            f"{name} ({module.__file__}) has no name {attribute!r}"
            f"{nearest(attribute, names)}"
        )
    return getattr(module, attribute)


def import_user_module(name: str) -> ModuleType:
    """Imports a module from Python's path or from one of the plug-in folders.

    Raises:
        PluginError: there is no such module, one of ours has its name, or it fails.
    """
    look_in(Path.cwd())
    _extend_path()
    importlib.invalidate_caches()
    _refuse_our_names(name)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            places = ", ".join(map(str, folders()))
            raise PluginError(
                f"no module {error.name!r}; looked where Python looks and in {places}"
            ) from None
        raise PluginError(_failure(name, error)) from error
    except (Exception, SystemExit) as error:
        raise PluginError(_failure(name, error)) from error


def _refuse_our_names(name: str) -> None:
    root = name.partition(".")[0]
    if root not in OURS:
        return
    for folder in folders():
        if place := namesakes.namesake_in(folder, root):
            raise PluginError(namesakes.advice(place))


def _failure(name: str, error: BaseException) -> str:
    """What a module's own import raised, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    if isinstance(error, SyntaxError) and error.filename:
        place = f" at {error.filename}:{error.lineno}"
    said = f"{type(error).__name__}: {error}".removesuffix(": ")
    return f"importing {name} raises {said}{place}"


def problem_of(thing: Any, kind: PluginKind) -> str:
    """Why a thing is not of a kind, after its name; empty where it is."""
    contract = _attribute(kind.contract)
    if kind.is_class:
        if isinstance(thing, type) and issubclass(thing, contract):
            return ""
        return f"is not {kind.word}: it must derive from {contract.__name__}"
    if isinstance(thing, type):
        return (
            f"is a class, not {kind.word}: write NAME = {thing.__name__}() in its "
            "module and name that"
        )
    missing = [name for name in kind.members if not hasattr(thing, name)]
    if missing:
        return f"is not {kind.word}: it has no {', '.join(missing)}"
    return ""


def members_of(contract: type) -> list[str]:
    """The public names that a contract class declares, in their order."""
    declared = [*inspect.get_annotations(contract), *vars(contract)]
    return [name for name in dict.fromkeys(declared) if not name.startswith("_")]


def _attribute(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


_FOLDERS: list[Path] = []


def folders() -> tuple[Path, ...]:
    """Where modules of users are looked for besides Python's own places."""
    return tuple(_FOLDERS)


def look_in(folder: Path) -> None:
    """Adds a folder in which modules of users are looked for."""
    folder = folder.resolve()
    if folder not in _FOLDERS:
        _FOLDERS.append(folder)


def folders_of_worker() -> dict[str, str]:
    """The variable that tells a worker the folders of this process."""
    return {FOLDERS_VARIABLE: os.pathsep.join(map(str, folders()))}


def look_where_told(environment: Mapping[str, str] = os.environ) -> None:
    """Takes over the folders of the process that started this one as a worker."""
    for folder in environment.get(FOLDERS_VARIABLE, "").split(os.pathsep):
        if folder:
            look_in(Path(folder))
    _extend_path()


def _extend_path() -> None:
    """Appends the folders to Python's path, so that they hide no library and no lab."""
    for folder in map(str, folders()):
        if folder not in sys.path:
            sys.path.append(folder)


def paths_in(config: BaseModel) -> set[ImportPath]:
    """Every import path that a config names."""
    return set(_walk(config.model_dump(mode="python")))


def _walk(value: Any) -> Iterator[ImportPath]:
    if isinstance(value, ImportPath):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _walk(part)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for part in value:
            yield from _walk(part)
