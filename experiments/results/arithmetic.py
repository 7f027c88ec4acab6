"""The arithmetic of checks: exact where numbers are whole, and it never fails.

Whole numbers are Python's, which do not wrap around; comparisons of whole numbers with
fractions are exact too. What leaves the range of floats becomes an infinity, what is
divided by zero an infinity or, of zero itself, no number (NaN), of which every
comparison but `!=` is false.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

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
_QUANTILE = re.compile(r"^p(\d{1,2})$", re.ASCII)


def knows(op: ast.AST) -> bool:
    """Whether an operator of Python's syntax is one of a check's."""
    return type(op) in _ARITHMETIC or type(op) in _COMPARISONS


def _float(number: float) -> float:
    """As a float; what is beyond its range becomes an infinity."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def apply(function: Callable, left: float, right: float) -> float:
    """Sum, difference, product or quotient; an error becomes an infinity or NaN."""
    try:
        return function(left, right)
    except OverflowError:
        return _apply_floats(function, _float(left), _float(right))
    except ZeroDivisionError:
        top = _float(left)
        return math.copysign(math.inf, top) if top and top == top else math.nan


def _apply_floats(function: Callable, left: float, right: float) -> float:
    if function is operator.truediv and right == 0:
        return math.copysign(math.inf, left) if left and left == left else math.nan
    return function(left, right)


# --- statistics over seeds -----------------------------------------------------------


def _total(values: Sequence[float]) -> float:
    """The sum: exact of whole numbers, correctly rounded of fractions."""
    if all(isinstance(value, int) for value in values):
        return sum(values)
    floats = [_float(value) for value in values]
    try:
        return math.fsum(floats)
    except (OverflowError, ValueError):  # of infinities of both signs there is none
        return sum(floats)


def _mean(values: Sequence[float]) -> float:
    return apply(operator.truediv, _total(values), len(values))


def _quantile(values: Sequence[float], percent: int) -> float:
    """Between the two nearest in order, as numpy does; a value itself stays exact."""
    place, rest = divmod((len(values) - 1) * percent, 100)
    ordered = sorted(values)
    if not rest:
        return ordered[place]
    step = apply(operator.sub, ordered[place + 1], ordered[place])
    return apply(operator.add, ordered[place], apply(operator.mul, step, rest / 100))


def _deviation(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    with np.errstate(all="ignore"):
        return float(np.std([_float(value) for value in values], ddof=1))


#: By name; `share` is of truths, `count` of anything, the others of numbers.
STATISTICS: dict[str, Callable[[Sequence[Any]], float]] = {
    "mean": _mean,
    "median": lambda values: _quantile(values, 50),
    "min": min,
    "max": max,
    "sum": _total,
    "std": _deviation,
    "count": len,
    "share": _mean,
}


def statistic(name: str) -> Callable[[Sequence[Any]], float] | None:
    """The function over seeds of that name: `mean`, `p95`, …"""
    match = _QUANTILE.match(name)
    if match:
        percent = int(match[1])
        return lambda values: _quantile(values, percent)
    return STATISTICS.get(name)


def functions() -> list[str]:
    """Names of all functions a check may use."""
    return ["abs", *STATISTICS, "p50", "p90", "p95", "p99"]


def _over_seeds(name: str, values: list[Any]) -> float:
    """A statistic; not a number where a value is none, as `numpy` has it."""
    function = statistic(name)
    assert function is not None  # the parser has looked
    if name == "count":
        return len(values)
    if not values or any(value != value for value in values):
        return math.nan
    return function(values)


# --- expressions ---------------------------------------------------------------------


def evaluate(
    node: ast.expr,
    columns: Mapping[str, Sequence[Any]],
    rows: Sequence[int],
    row: int | None,
) -> Any:
    """The value of a parsed expression in one row, or over all rows.

    Args:
        node: of a tree that `experiments.results.expressions` has read.
        columns: Python's own ints, floats and texts by column, one a row.
        rows: numbers of the rows that statistics are over.
        row: where names are read; None outside of a statistic, where none stand.
    """

    def value(child: ast.expr, at: int | None = row) -> Any:
        return evaluate(child, columns, rows, at)

    match node:
        case ast.Constant(value=number):
            return number
        case ast.Name(id=name):
            assert row is not None  # the parser has looked
            return columns[name][row]
        case ast.Call(func=ast.Name(id="abs"), args=[argument]):
            return abs(value(argument))
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return _over_seeds(name, [value(argument, at) for at in rows])
        case ast.BinOp(left=left, op=op, right=right):
            return apply(_ARITHMETIC[type(op)], value(left), value(right))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not value(operand)
        case ast.UnaryOp(op=op, operand=operand):
            return -value(operand) if isinstance(op, ast.USub) else value(operand)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(value(each) for each in values)
        case ast.BoolOp(values=values):
            return any(value(each) for each in values)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [value(side) for side in (left, *comparators)]
            steps = zip(ops, sides[:-1], sides[1:], strict=True)
            return all(_COMPARISONS[type(op)](one, other) for op, one, other in steps)
    raise TypeError(f"{ast.unparse(node)!r} was not parsed by `parse_check`")
