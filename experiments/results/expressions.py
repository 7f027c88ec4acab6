"""The language of checks: comparisons of numbers, metrics and statistics over seeds.

    conservation_error == 0                 holds in every run
    bad_debt <= 1e6                         holds in every run
    mean(bad_debt) < 2 * mean(venue_fees)   holds at every sweep point
    p95(inclusion_p99_us) < 5_000_000       holds at every sweep point
    share(bad_debt == 0) >= 0.9             holds at every sweep point

Python's own parser reads it; of its syntax tree only numbers, names, arithmetic,
comparisons, `and`, `or`, `not` and the functions listed here are known, so nothing else
can run. Every expression has a kind (a number, a text or a truth), known from the
columns before there is any row, so that what makes no sense is refused before the
start. The arithmetic itself: `experiments.results.arithmetic`.
"""

import ast
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from experiments.config.errors import ConfigError, shown, unknown
from experiments.results import arithmetic

#: Longer texts, and deeper trees (a sum of so many terms), are split by their author.
MAX_LENGTH, MAX_DEPTH = 2_000, 100
_WORDS = "numbers, metrics, + - * /, comparisons, and, or, not, abs(x)"


class Kind(Enum):
    """What an expression gives."""

    NUMBER = "a number"
    TEXT = "a text"
    TRUTH = "a yes or no"


@dataclass(frozen=True)
class Check:
    """A parsed check.

    Attributes:
        text: as written.
        tree: its syntax tree, every node known and of the right kind.
        names: columns that it reads.
        per_point: it aggregates over seeds; otherwise it has to hold in every run.
    """

    text: str
    tree: ast.expr
    names: tuple[str, ...]
    per_point: bool

    def holds(self, columns: Mapping[str, Sequence[Any]]) -> Any:
        """Whether it holds: a list of truths by row, or one where it aggregates."""
        return self._over(self.tree, columns)

    def sides(self, columns: Mapping[str, Sequence[Any]]) -> tuple[Any, Any] | None:
        """Value and threshold, where the check is one comparison; shaped as `holds`."""
        tree = self.tree
        if not isinstance(tree, ast.Compare) or len(tree.ops) != 1:
            return None
        left, right = tree.left, tree.comparators[0]
        return self._over(left, columns), self._over(right, columns)

    def rehearse(self, known: Mapping[str, Kind]) -> None:
        """Evaluates it on a made-up table of two rows, so that no fault waits for the
        real one.
        """
        examples: dict[Kind, list[Any]] = {
            Kind.NUMBER: [0, -(1 << 63)],
            Kind.TEXT: ["", "x"],
        }
        columns = {name: examples[known[name]] for name in self.names}
        _ = self.holds(columns), self.sides(columns)

    def _over(self, tree: ast.expr, columns: Mapping[str, Sequence[Any]]) -> Any:
        rows = 0 if not self.names else len(columns[self.names[0]])
        if self.per_point:
            return arithmetic.evaluate(tree, columns, range(rows), None)
        return [
            arithmetic.evaluate(tree, columns, range(rows), row) for row in range(rows)
        ]


def parse_check(text: str, known: Mapping[str, Kind]) -> Check:
    """Parses a check and makes sure that it is one, of columns that there are.

    Args:
        text: the check.
        known: the columns that it may name, and what each holds.

    Raises:
        ConfigError: not an expression of this language, of no known column, or of
            kinds that do not go together.
    """
    tree = _parsed(text)
    reader = _Reader(text, known)
    if reader.read(tree) is not Kind.TRUTH:
        raise reader.error("is a number, not a yes or no; compare it")
    if not reader.names:
        raise reader.error("names no metric, so there is nothing to check")
    if reader.inside and reader.outside:
        raise reader.error(
            "mixes statistics over seeds with the metric of a single run; put every "
            "metric inside a statistic such as mean(…), or none"
        )
    return Check(text, tree, tuple(reader.names), reader.inside)


def _parsed(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise ConfigError(
            f"check {shown(text)}: has {len(text):,} characters; at most "
            f"{MAX_LENGTH:,} are read, so split it into several checks"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ConfigError(
            f"check {shown(text)}: {error.msg}; such as bad_debt <= 1e6"
        ) from None
    except (ValueError, MemoryError, RecursionError) as error:
        problem = str(error) or "is nested too deeply"
        raise ConfigError(f"check {shown(text)}: {problem}") from None
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [
            child
            for node in level
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.expr)
        ]
    if depth > MAX_DEPTH:
        raise ConfigError(
            f"check {shown(text)}: is {depth:,} operations deep; at most {MAX_DEPTH} "
            "are read, so split it into several checks"
        )
    return tree


class _Reader:
    """Walks a tree once: the kind of every node, the names, where they stand.

    Attributes:
        names: columns in the order of their first appearance.
        inside, outside: whether a column stands inside, or outside of a statistic.
    """

    def __init__(self, text: str, known: Mapping[str, Kind]):
        self.text, self.known = text, known
        self.names: dict[str, None] = {}
        self.inside = self.outside = False
        self._statistic = ""

    def error(self, problem: str) -> ConfigError:
        return ConfigError(f"check {shown(self.text)}: {problem}")

    def read(self, node: ast.expr) -> Kind:
        """The kind of a node; refuses every node that is not in the language."""
        match node:
            case ast.Constant(value=bool()):
                pass
            case ast.Constant(value=int() | float() as value):
                if isinstance(value, float) and not math.isfinite(value):
                    raise self.error("holds a number that is too large to be one")
                return Kind.NUMBER
            case ast.Name(id=name):
                return self._name(name)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
                return self._call(name, argument)
            case ast.BinOp(left=left, right=right) if arithmetic.knows(node.op):
                self._numbers(node, left, right)
                return Kind.NUMBER
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                self._numbers(node, operand)
                return Kind.NUMBER
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self._truths(node, [operand])
                return Kind.TRUTH
            case ast.BoolOp(values=values):
                self._truths(node, values)
                return Kind.TRUTH
            case ast.Compare(left=left, comparators=rest) if all(
                arithmetic.knows(op) for op in node.ops
            ):
                self._numbers(node, left, *rest)
                return Kind.TRUTH
        raise self.error(
            f"{shown(ast.unparse(node))} is not allowed; allowed are {_WORDS}, and "
            f"over seeds {', '.join(arithmetic.STATISTICS)}, p50 … p99"
        )

    def _name(self, name: str) -> Kind:
        if name not in self.known:
            raise self.error(unknown("metric", name, self.known))
        self.names[name] = None
        if self._statistic:
            self.inside = True
        else:
            self.outside = True
        return self.known[name]

    def _call(self, name: str, argument: ast.expr) -> Kind:
        if name == "abs":
            self._numbers(argument, argument)
            return Kind.NUMBER
        if arithmetic.statistic(name) is None:
            raise self.error(unknown("function", name, arithmetic.functions()))
        if self._statistic:
            raise self.error(
                f"{name}(…) inside another statistic, {self._statistic}(…)"
            )
        before, self.inside = self.inside, False
        self._statistic = name
        kind = self.read(argument)
        if not self.inside:
            raise self.error(f"{name}({ast.unparse(argument)}) names no metric")
        self._refuse_kind(name, kind)
        self._statistic, self.inside = "", before or self.inside
        return Kind.NUMBER

    def _refuse_kind(self, name: str, kind: Kind) -> None:
        """A share is of conditions, a count of whatever has rows, the rest of numbers.

        A count of a condition would be of all rows, not of those where it holds.
        """
        if name == "share" and kind is not Kind.TRUTH:
            raise self.error(f"share(…) is of a comparison, not of {kind.value}")
        if name != "share" and kind is Kind.TRUTH:
            raise self.error(
                f"{name}(…) is of numbers, not of {kind.value}; share(…) gives the "
                "share of seeds where a comparison holds"
            )
        if kind is Kind.TEXT and name != "count":
            raise self.error(f"{name}(…) is of numbers, not of {kind.value}")

    def _numbers(self, whole: ast.expr, *parts: ast.expr) -> None:
        self._all(whole, parts, Kind.NUMBER)

    def _truths(self, whole: ast.expr, parts: Iterable[ast.expr]) -> None:
        self._all(whole, parts, Kind.TRUTH)

    def _all(self, whole: ast.expr, parts: Iterable[ast.expr], wanted: Kind) -> None:
        for part in parts:
            kind = self.read(part)
            if kind is not wanted:
                raise self.error(
                    f"in {shown(ast.unparse(whole))}, {shown(ast.unparse(part))} is "
                    f"{kind.value}, where {wanted.value} is needed"
                )
