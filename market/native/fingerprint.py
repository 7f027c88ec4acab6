"""What compiled code depends on: a number that changes with any of its sources.

Numba's disk cache notices a changed caller but not a changed callee. So each handler
holds this number as a constant, and a changed source makes it a different handler.
JAX's disk cache needs none: what it keeps names a handler, whose code is looked up
when the program is loaded.
"""

import ast
import functools
import hashlib
import importlib.util
from importlib import metadata
from pathlib import Path

#: The packages of the lab: what a kernel may be made of.
LAB = ("market", "rollup", "agents", "experiments", "shakeout")
#: What compiles them. Numba's own cache looks at Numba's version alone.
COMPILERS = ("numba", "llvmlite", "numpy")


@functools.cache
def fingerprint_of(module: str) -> int:
    """A number of 56 bits that changes with whatever compiled code is made of.

    Args:
        module: dotted name of the module that defines the handler. Its `sources_of`
            count, and the versions of `COMPILERS`.

    Raises:
        FileNotFoundError: a module that is imported has no source file.
    """
    digest = hashlib.sha256()
    for compiler in COMPILERS:
        digest.update(f"{compiler} {metadata.version(compiler)}\0".encode())
    for name, source in sorted(sources_of(module).items()):
        digest.update(name.encode() + b"\0" + source)
    return int.from_bytes(digest.digest()[:7], "big")


def sources_of(module: str) -> dict[str, bytes]:
    """The sources that a module is made of, by dotted name.

    They are its own, those of every module of the lab or of its own package that it
    imports, directly or through others, and the `__init__` of each package on the way.

    Raises:
        FileNotFoundError: a module that is imported has no source file. Code that
            cannot be read cannot be told from other code, so nothing is cached for it.
    """
    packages = {_package(module), *LAB}
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
        waiting += _imported(name, ast.parse(sources[name]), packages)
        waiting += _parents(name)
    return sources


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


def _parents(module: str) -> list[str]:
    """The packages that a module is in, whose `__init__` is run before it."""
    parts = module.split(".")
    packages = (".".join(parts[:end]) for end in range(1, len(parts)))
    return [name for name in packages if source_of(name) is not None]


def _imported(module: str, tree: ast.Module, packages: set[str]) -> list[str]:
    """Names of the modules of some packages that a module's source imports."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(module, node)
            names.append(source)
            inner = (f"{source}.{alias.name}" for alias in node.names)
            if _package(source) in packages:
                names += [name for name in inner if source_of(name) is not None]
    return [name for name in names if _package(name) in packages]


def _absolute(module: str, node: ast.ImportFrom) -> str:
    """What is imported from, its leading dots resolved."""
    if node.level == 0:
        return node.module or ""
    path = source_of(module)
    is_package = path is not None and path.name == "__init__.py"
    parts = module.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, *filter(None, [node.module])])
