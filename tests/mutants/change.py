"""What a mutant is, and how it changes the source of a function.

A mutant names a file, a function in it and an expression or statement inside that
function, as Python. It is found by its syntax tree, so moving the function, or
formatting it anew, changes nothing; renaming the function or rewriting the expression
does, and `StaleError` says which mutant has lost its place.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Mutant(NamedTuple):
    """One broken rule: in ``function`` of ``file``, ``old`` becomes ``new``.

    Attributes:
        rule: what breaks, in a few words; one of its kind in the file.
        file: path from the repository.
        function: `name`, `Class.name` or `outer.inner`; "" is the module outside them.
        old: an expression or a statement that stands exactly once in the function.
        new: what stands there instead; an expression if ``old`` is one.
        tests: the file of tests that should notice.
    """

    rule: str
    file: str
    function: str
    old: str
    new: str
    tests: str


class StaleError(ValueError):
    """The code that a mutant changes is no longer there."""


def load(path: Path) -> list[Mutant]:
    """The mutants of one room; its file says by file and function what to change."""
    return [
        Mutant(file=entry["file"], function=function, tests=entry["tests"], **row)
        for entry in yaml.safe_load(path.read_text())
        for function, rows in entry["functions"].items()
        for row in rows
    ]


def broken(mutant: Mutant, source: str) -> str:
    """The source with the mutant in it; `StaleError` if it has no place there."""
    where = f"{mutant.file}: {mutant.rule!r}"
    scope = _scope(ast.parse(source), mutant.function)
    if scope is None:
        raise StaleError(f"{where}: there is no function {mutant.function!r} any more")
    places = list(_places(scope, _wanted(mutant)))
    if len(places) != 1:
        raise StaleError(
            f"{where}: `{mutant.old}` stands {len(places)} times in "
            f"{mutant.function or 'the module'!r}, not once"
        )
    changed = _replaced(source, places[0], mutant.new)
    if ast.dump(ast.parse(changed)) == ast.dump(ast.parse(source)):
        raise StaleError(f"{where}: the change changes nothing")
    return changed


def _wanted(mutant: Mutant) -> ast.expr | ast.stmt:
    """What to look for: an expression if the new text is one too, or a statement."""
    (old,), new = ast.parse(mutant.old).body, ast.parse(mutant.new).body
    both = [*new, old]
    is_expression = all(isinstance(node, ast.Expr) for node in both) and len(both) == 2
    return old.value if is_expression and isinstance(old, ast.Expr) else old


def _scope(tree: ast.Module, name: str) -> ast.AST | None:
    """The function or class of a dotted name; the module for an empty one."""
    scope: ast.AST | None = tree
    for part in filter(None, name.split(".")):
        kinds = (*_FUNCTIONS, ast.ClassDef)
        inner = (n for n in ast.walk(scope) if isinstance(n, kinds))
        scope = next((n for n in inner if n.name == part and n is not scope), None)
        if scope is None:
            return None
    return scope


def _places(scope: ast.AST, wanted: ast.AST) -> Iterator[ast.AST]:
    """The nodes equal to the wanted one; a module's functions are not looked into."""
    shape = ast.dump(wanted)
    for node in ast.iter_child_nodes(scope):
        if isinstance(scope, ast.Module) and isinstance(node, _FUNCTIONS):
            continue
        if type(node) is type(wanted) and ast.dump(node) == shape:
            yield node
        else:
            yield from _places(node, wanted)


def _replaced(source: str, node: ast.AST, new: str) -> str:
    """The source with other text at the place of a node."""
    lines = source.encode().splitlines(keepends=True)
    first = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    last = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    if isinstance(node, ast.expr):
        text = f"({new})"
    else:
        text = new.replace("\n", "\n" + " " * node.col_offset)
    whole = source.encode()
    return (whole[:first] + text.encode() + whole[last:]).decode()
