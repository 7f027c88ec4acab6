"""Puts something of a user's own through the rules of its contract.

`conform` tells what kind of thing an import path names and looks at every rule of that
kind on small worlds of its own: what the contract promises to the rest of the lab, and
the rest cannot check while a run goes on. One module a kind holds its rules.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from experiments.config import plugins
from experiments.config.errors import ConfigError
from experiments.config.plugins import PluginError, PluginKind
from experiments.conform.rules import Finding, findings

#: The module that holds the rules of each kind, as `RULES`.
_MODULES: dict[PluginKind, str] = {
    plugins.SCHEME: "schemes",
    plugins.FAULT: "faults",
    plugins.FAMILY: "families",
    plugins.AGENT: "agents",
    plugins.METRIC: "metrics",
    plugins.PRICE_MODEL: "prices",
}


def conform(path: str) -> tuple[PluginKind, Iterator[Finding]]:
    """The kind of what an import path names, and what comes of each of its rules.

    Raises:
        ConfigError: there is nothing of that path, or it is of no kind.
    """
    try:
        thing = plugins.load_path(path)
    except PluginError as error:
        raise ConfigError(str(error)) from None
    kind = kind_of(thing, path)
    rules = import_module(f"experiments.conform.{_MODULES[kind]}").RULES
    return kind, findings(thing, rules)


def kind_of(thing: Any, path: str) -> PluginKind:
    """The kind of a thing: that whose contract it has.

    Raises:
        ConfigError: it has none; says what it lacks of each.
    """
    problems = {kind: plugins.problem_of(thing, kind) for kind in _MODULES}
    for kind, problem in problems.items():
        if not problem:
            return kind
    raise ConfigError([f"{path} {problem}" for problem in problems.values()])
