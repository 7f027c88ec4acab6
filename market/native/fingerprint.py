"""What compiled code depends on: a number that changes with any of its sources.

Numba's disk cache notices a changed caller but not a changed callee. So each handler
holds this number as a constant, and a changed source makes it a different handler.
"""

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path


@functools.cache
def fingerprint_of(module: str) -> int:
    """A number of 56 bits that changes with whatever source a module is made of.

    Args:
        module: dotted name; its sources are its own file and those of every module of
            the lab that it imports, directly or through others.

    Raises:
        FileNotFoundError: a module that is imported has no source file. Code that
            cannot be read cannot be told from other code, so nothing is cached for it.
    """
    packages = {_package(module), _package(__name__)}
    sources: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        path = source_of(name)
        if path is None:
            raise FileNotFoundError(f"no source file of {name}, which {module} imports")
        sources[name] = path.read_bytes()
        waiting += _imported(ast.parse(sources[name]), packages)
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name])
    return int.from_bytes(digest.digest()[:7], "big")


def _package(module: str) -> str:
    return module.partition(".")[0]


def source_of(module: str) -> Path | None:
    """The file of a module, or None where there is none."""
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    if found is None or found.origin is None:
        return None
    path = Path(found.origin)
    return path if path.suffix == ".py" and path.is_file() else None


def _imported(tree: ast.Module, packages: set[str]) -> list[str]:
    """Names of the modules of some packages that a source imports."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.append(node.module)
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            if _package(node.module) in packages:
                names += [name for name in inner if source_of(name) is not None]
    return [name for name in names if _package(name) in packages]
