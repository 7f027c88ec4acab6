"""The language of checks: comparisons of numbers, metrics and statistics over seeds.

    conservation_error == 0                 holds in every run
    bad_debt <= 1e6                         holds in every run
    mean(bad_debt) < 2 * mean(venue_fees)   holds at every sweep point
    p95(inclusion_p99_us) < 5_000_000       holds at every sweep point

Read by a small evaluator over Python's own syntax tree, of which it knows only
numbers, names, arithmetic, comparisons, `and`, `or`, `not`, and the functions listed
here. Nothing else can run.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from experiments.config.errors import ConfigError, unknown

_ARITHMETIC: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: dict[type, Callable] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_STATISTICS: dict[str, Callable] = {
    "mean": np.mean,
    "median": np.median,
    "min": np.min,
    "max": np.max,
    "sum": np.sum,
    "std": lambda values: np.std(values, ddof=1) if len(values) > 1 else 0.0,
    "count": len,
}
_QUANTILE = re.compile(r"^p(\d{1,2})$")
_WORDS = "numbers, metrics, + - * /, comparisons, and, or, not, abs(x)"


def statistic(name: str) -> Callable | None:
    """The function over seeds of that name: `mean`, `p95`, …"""
    match = _QUANTILE.match(name)
    if match:
        return lambda values: np.quantile(values, int(match[1]) / 100)
    return _STATISTICS.get(name)


def functions() -> list[str]:
    """Names of all functions a check may use."""
    return ["abs", *_STATISTICS, "p50", "p90", "p95", "p99"]


@dataclass(frozen=True)
class Check:
    """A parsed check.

    Attributes:
        text: as written.
        tree: its syntax tree, every node known.
        names: columns that it reads.
        per_point: it aggregates over seeds; otherwise it has to hold in every run.
    """

    text: str
    tree: ast.expr
    names: tuple[str, ...]
    per_point: bool

    def holds(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Whether it holds: bool by row, or one bool where it aggregates."""
        return np.asarray(_evaluate(self.tree, columns), bool)

    def sides(self, columns: Mapping[str, np.ndarray]) -> tuple[Any, Any] | None:
        """Value and threshold, where the check is one comparison."""
        tree = self.tree
        if not isinstance(tree, ast.Compare) or len(tree.ops) != 1:
            return None
        left, right = tree.left, tree.comparators[0]
        return _evaluate(left, columns), _evaluate(right, columns)


def parse_check(text: str, known: Iterable[str]) -> Check:
    """Parses a check and makes sure that it is one.

    Raises:
        ConfigError: not an expression of this language, or of no known column.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ConfigError(
            f"check {text!r}: {error.msg}; such as bad_debt <= 1e6"
        ) from None
    columns = set(known)
    names: dict[str, None] = {}
    uses = {"inside": False, "outside": False}
    _inspect(tree, text, columns, names, uses, inside=False)
    if uses["inside"] and uses["outside"]:
        raise ConfigError(
            f"check {text!r}: mixes statistics over seeds with the metric of a single "
            "run; put every metric inside a statistic such as mean(…), or none"
        )
    if not _is_truth(tree):
        raise ConfigError(f"check {text!r}: is a number, not a yes or no; compare it")
    return Check(text, tree, tuple(names), uses["inside"])


def _is_truth(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(_is_truth, node.values))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _is_truth(node.operand)
    return isinstance(node, ast.Compare)


def _inspect(node: ast.expr, text, columns, names, uses, *, inside: bool) -> None:
    """Walks the tree once; refuses every node that is not in the language."""

    def visit(child: ast.expr, deeper: bool = inside) -> None:
        _inspect(child, text, columns, names, uses, inside=deeper)

    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return
        case ast.Name(id=name):
            if name not in columns:
                raise ConfigError(f"check {text!r}: {unknown('metric', name, columns)}")
            names[name] = None
            uses["inside" if inside else "outside"] = True
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            _inspect_call(name, text, inside)
            visit(argument, inside or name != "abs")
        case ast.BinOp(left=left, right=right) if type(node.op) in _ARITHMETIC:
            visit(left)
            visit(right)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not(), operand=operand):
            visit(operand)
        case ast.BoolOp(values=values):
            for value in values:
                visit(value)
        case ast.Compare(left=left, comparators=rest) if all(
            type(op) in _COMPARISONS for op in node.ops
        ):
            for value in (left, *rest):
                visit(value)
        case _:
            raise ConfigError(
                f"check {text!r}: {ast.unparse(node)!r} is not allowed; allowed are "
                f"{_WORDS}, and over seeds {', '.join(_STATISTICS)}, p50 … p99"
            )


def _inspect_call(name: str, text: str, inside: bool) -> None:
    if name == "abs":
        return
    if statistic(name) is None:
        raise ConfigError(f"check {text!r}: {unknown('function', name, functions())}")
    if inside:
        raise ConfigError(f"check {text!r}: {name}(…) inside another statistic")


def _evaluate(node: ast.expr, columns: Mapping[str, np.ndarray]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return np.asarray(columns[name])
        case ast.Call(func=ast.Name(id="abs"), args=[argument]):
            return np.abs(_evaluate(argument, columns))
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            function = statistic(name)
            assert function is not None  # `parse_check` has looked
            return function(_evaluate(argument, columns))
        case ast.BinOp(left=left, op=op, right=right):
            with np.errstate(divide="ignore", invalid="ignore"):
                return _ARITHMETIC[type(op)](
                    np.asarray(_evaluate(left, columns)), _evaluate(right, columns)
                )
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(_evaluate(operand, columns))
        case ast.UnaryOp(op=op, operand=operand):
            value = _evaluate(operand, columns)
            return -value if isinstance(op, ast.USub) else value
        case ast.BoolOp(op=op, values=values):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return reduce(join, [_evaluate(value, columns) for value in values])
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_evaluate(side, columns) for side in (left, *comparators)]
            steps = zip(ops, sides[:-1], sides[1:], strict=True)
            pairs = [_COMPARISONS[type(op)](a, b) for op, a, b in steps]
            return reduce(np.logical_and, pairs)
    raise TypeError(f"{ast.unparse(node)!r} was not parsed by `parse_check`")
