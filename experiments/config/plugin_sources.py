"""The source of a user's own code, which is part of the experiment that names it.

Two experiments of equal configs whose plug-ins differ are two experiments, so the
hash of a config takes in the source of every module that an import path leads to:
the module itself and, through its imports, whatever of the user's stands beside it.
Libraries are told by their versions and are left out.
"""

import ast
import hashlib
from importlib import util
from pathlib import Path
from typing import NamedTuple

from experiments.config.plugins import OURS, PluginError, folders

#: Folders of libraries: what stands beside a plug-in there is not the user's.
_INSTALLED = ("site-packages", "dist-packages")


class Source(NamedTuple):
    """A module of the user's and the file that it was read from."""

    module: str
    file: Path


#: What each module's sources were when this process first asked for them.
_FIRST: dict[str, dict[str, str]] = {}


def sources_of(name: str) -> list[Source]:
    """The module and all of the user's that it imports, by name.

    Of the user's are modules of the same top-level package, and those that stand in
    the folder of that package or in a plug-in folder.
    """
    found: dict[str, Path] = {}
    waiting = [name]
    root = name.partition(".")[0]
    homes = {*folders(), _place_of(root)}
    homes = {home for home in homes if home and home.name not in _INSTALLED}
    while waiting:
        module = waiting.pop()
        file = _file_of(module, root, homes)
        if module in found or file is None:
            continue
        found[module] = file
        waiting += _imported(module, file)
    return [Source(module, found[module]) for module in sorted(found)]


def hashes_of(name: str) -> dict[str, str]:
    """SHA-256 of each source of an imported module, by module name.

    Raises:
        PluginError: a file has changed since this process imported it, so that what
            would run is not what the hash names.
    """
    now = {
        source.module: hashlib.sha256(source.file.read_bytes()).hexdigest()
        for source in sources_of(name)
    }
    first = _FIRST.setdefault(name, now)
    changed = sorted(module for module in now if now[module] != first.get(module))
    if changed:
        raise PluginError(
            f"{', '.join(changed)}: changed on disk since this process imported it; "
            "start a new one"
        )
    return now


def _file_of(module: str, root: str, homes: set[Path]) -> Path | None:
    """The source file of a module where it is the user's own."""
    top = module.partition(".")[0]
    if top in OURS or (top != root and _place_of(top) not in homes):
        return None
    try:
        spec = util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin).resolve()


def _place_of(top: str) -> Path | None:
    """The folder in which a top-level module stands, without importing it."""
    try:
        spec = util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    inside = spec.submodule_search_locations
    if inside:
        return Path(next(iter(inside))).resolve().parent
    if spec.has_location and spec.origin:
        return Path(spec.origin).resolve().parent
    return None


def _imported(module: str, file: Path) -> list[str]:
    """Every module that a source file may import, and the packages around it."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names = [package] if package else []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                parts = parts[: len(parts) - node.level + 1]
                base = ".".join([*parts, *([base] if base else [])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    whole = [name.split(".") for name in names if name]
    return [".".join(n[:depth]) for n in whole for depth in range(1, len(n) + 1)]
