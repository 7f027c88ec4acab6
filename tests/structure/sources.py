"""The source of the packages, read and not imported."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
PACKAGES = ("shakeout", "experiments", "agents", "rollup", "market")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(*folders: str) -> list[Path]:
    """Every Python file under the folders, by name, relative to the repository."""
    return sorted(
        path.relative_to(HOME)
        for folder in folders
        for path in (HOME / folder).rglob("*.py")
    )


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse((HOME / path).read_text(), str(path))


def module_of(path: Path) -> str:
    """`market/types/__init__.py` is `market.types`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def file_of(module: str) -> Path | None:
    """The file of a module, None if there is none."""
    path = Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if (HOME / candidate).exists():
            return candidate
    return None


def imported(module: ast.Module) -> Iterator[str]:
    """The modules and names that a file imports, with their whole path."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions(module: ast.Module) -> Iterator[Function]:
    """Every function and method of a file, nested ones too."""
    for node in ast.walk(module):
        if isinstance(node, Function):
            yield node


def docstrings(module: ast.Module) -> Iterator[str]:
    """Every docstring of a file."""
    for node in ast.walk(module):
        if isinstance(node, (ast.Module, ast.ClassDef, *Function.__args__)):
            text = ast.get_docstring(node)
            if text:
                yield text
