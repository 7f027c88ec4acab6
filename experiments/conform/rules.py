"""Rules of a contract, looked at one by one, and what was found."""

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core


class BrokenError(Exception):
    """A rule does not hold; the message says what was seen instead."""


@dataclass(frozen=True)
class Rule:
    """One rule of a contract.

    Attributes:
        says: the rule, a clause without a full stop.
        look: tries it on a thing and says what was seen; raises `BrokenError` where it
            does not hold.
    """

    says: str
    look: Callable[[Any], str]


class Finding(NamedTuple):
    """What came of a rule."""

    says: str
    holds: bool
    seen: str


def findings(thing: Any, rules: Iterable[Rule]) -> Iterator[Finding]:
    """Looks at every rule in turn; one that raises does not hold."""
    for rule in rules:
        try:
            yield Finding(rule.says, True, rule.look(thing))
        except BrokenError as broken:
            yield Finding(rule.says, False, str(broken))
        except Exception as error:  # of the user's code, whatever it is
            yield Finding(rule.says, False, told(error))


def told(error: Exception) -> str:
    """An exception in one line: how its message begins, and where it was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = "; ".join(line.strip() for line in str(error).split("\n")[:3] if line)
    said = f"{type(error).__name__}: {text}".removesuffix(": ")
    return f"raises {said} ({frame.filename}:{frame.lineno})"


def require(holds: Any, seen: str) -> None:
    """Breaks the rule, saying what was seen, unless something holds."""
    if not holds:
        raise BrokenError(seen)


def require_equal(one: Any, other: Any, what: str) -> None:
    """Breaks the rule unless two pytrees have the same structure and numbers."""
    structures = jax.tree.structure(one), jax.tree.structure(other)
    require(structures[0] == structures[1], f"{what}: {structures[1]}")
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    same = all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)
    require(same, what)


def require_integers(tree: Any, what: str) -> None:
    """Breaks the rule where a leaf is neither an integer nor a bool."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        kind = np.asarray(leaf).dtype
        place = f"{what}{jax.tree_util.keystr(path)}"
        require(kind.kind in "iub", f"{place} is {kind}")


def floats_in(function: Callable, *arguments: Any) -> set[str]:
    """The floating-point types of a function's program; empty where all is integer."""
    return set(_floats(jax.make_jaxpr(function)(*arguments).jaxpr))


def _floats(jaxpr: core.Jaxpr) -> Iterator[str]:
    for equation in jaxpr.eqns:
        for variable in equation.outvars:
            kind = getattr(variable.aval, "dtype", None)
            if kind is not None and jnp.issubdtype(kind, jnp.inexact):
                yield f"{kind} in {equation.primitive.name}"
        for inner in core.jaxprs_in_params(equation.params):
            yield from _floats(inner)


def must_be_integer(function: Callable, *arguments: Any) -> str:
    """The rule that a function computes in integers alone."""
    found = floats_in(function, *arguments)
    require(not found, f"{', '.join(sorted(found))}")
    return "no floating-point operation"
