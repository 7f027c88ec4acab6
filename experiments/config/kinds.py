"""What is left of a section when an override changes its kind.

A section with a kind (a price model, an ordering scheme, a venue's preset, a fault, a
group's family) has keys that only that kind reads. Whoever changes the kind from
outside, by ``--set`` or along a sweep, means the new kind with its usual numbers, not a
complaint about the old one's. So the keys that the old kind has and the new one has not
are dropped, unless the same overrides set them. Keys that neither has stay, and are
refused as ever.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.config import documents
from experiments.config.errors import Path as KeyPath
from experiments.config.plugins import (
    AGENT,
    FAMILY,
    FAULT,
    PRICE_MODEL,
    SCHEME,
    is_path,
    resolve,
)


class Kind(NamedTuple):
    """A section that has a kind.

    Attributes:
        key: says which.
        usual: the kind where the section does not say; None where it has to.
        keys: the keys, dotted within the section, that a kind alone reads.
    """

    key: str
    usual: str | None
    keys: Callable[[str], Iterable[str]]


def without_old_kinds(
    before: dict, after: dict, overrides: Sequence[tuple[str, Any]]
) -> dict:
    """The document after overrides, without keys of kinds that they replaced.

    Args:
        before: the document.
        after: the same with every override.
        overrides: dotted keys and values.
    """
    given = [documents.parse_key(str(key)) for key, _ in overrides]
    for path in given:
        place, kinds = _kinds_at(path)
        for kind in kinds:
            old, new = _section(before, place), _section(after, place)
            if old is None or new is None:
                continue
            kept = [p[len(place) :] for p in given if p[: len(place)] == place]
            after = _put(after, place, _refitted(old, new, kind, kept))
        if path == ("venue", "preset"):
            after = _without_vault(after, given)
    return after


def _without_vault(document: dict, given: Sequence[KeyPath]) -> dict:
    """The document without the count of a vault that its venue has not."""
    from agents.families import FAMILIES
    from experiments.config.schema import WITH_VAULT

    venue, people = (_section(document, (key,)) for key in ("venue", "populations"))
    if not venue or not people or venue["preset"] in WITH_VAULT:
        return document
    for name in (each.name for each in FAMILIES.values() if each.is_backstop):
        path = ("populations", name, "count")
        if name in people and path not in given and path[:-1] not in given:
            people = _dropped(people, path[1:])
    return _put(document, ("populations",), people)


def _kinds_at(path: KeyPath) -> tuple[KeyPath, tuple[Kind, ...]]:
    """The section whose kind a key says, and how."""
    match path:
        case ("prices", "model"):
            return path[:-1], (Kind("model", "crash", _of_prices),)
        case ("sequencer", "policy"):
            return path[:-1], (Kind("policy", "fcfs", _of_scheme),)
        case ("venue", "preset"):
            return path[:-1], (Kind("preset", "dydx_v4", _of_preset),)
        case ("faults", int(), "kind"):
            return path[:-1], (Kind("kind", None, _of_fault),)
        case ("populations", str(name), "family" | "agent"):
            return path[:-1], (Kind(str(path[-1]), name, _of_group),)
    return path, ()


def _refitted(
    old: Mapping, new: Mapping, kind: Kind, kept: Sequence[KeyPath]
) -> Mapping:
    """A section without the keys of its old kind that its new one has not."""
    was = old.get(kind.key, kind.usual)
    if kind.key in ("family", "agent"):
        was = old.get("family", old.get("agent", kind.usual))
    now = new.get(kind.key, kind.usual)
    if was == now:
        return new
    stale = _keys(kind, was) - _keys(kind, now)
    if kind.key in ("family", "agent"):
        stale |= {"family", "agent"} - {kind.key}
    for key in stale:
        path = documents.parse_key(key)
        # What the same overrides set is meant, and is refused if it cannot be.
        if path not in kept and path[:1] not in kept:
            new = _dropped(new, path)
    return new


def _keys(kind: Kind, name: Any) -> set[str]:
    """The keys of one kind; none of a name that is none, which is refused later."""
    try:
        return set(kind.keys(str(name)))
    except (ValueError, KeyError):
        return set()


def _of_prices(name: str) -> Iterable[str]:
    from experiments.config import prices

    if is_path(name):
        return prices.own_section(resolve(name, PRICE_MODEL)).model_fields
    models = {
        "crash": prices.CrashConfig,
        "replay": prices.ReplayConfig,
        "jump_diffusion": prices.JumpDiffusionConfig,
    }
    return models[name].model_fields


def _of_scheme(name: str) -> Iterable[str]:
    from experiments.config.sequencer import own_keys
    from rollup.sequencing.composed import Composed

    scheme = resolve(name, SCHEME)
    parts = ["composed"] if isinstance(scheme, Composed) else []
    return [*parts, *(f"numbers.{key}" for key in own_keys(scheme))]


def _of_preset(name: str) -> Iterable[str]:
    from experiments.build.venue_numbers import presets_by_key

    return [key for key, presets in presets_by_key().items() if name in presets]


def _of_fault(name: str) -> Iterable[str]:
    return resolve(name, FAULT).reads


def _of_group(name: str) -> Iterable[str]:
    from experiments.config.groups import group_model, guest_model

    try:
        return group_model(resolve(name, FAMILY)).model_fields
    except ValueError:
        return guest_model(resolve(name, AGENT)).model_fields


def _section(document: Mapping, place: KeyPath) -> Mapping | None:
    node: Any = document
    for part in place:
        if isinstance(node, Mapping):
            node = node.get(str(part), {})
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            return None
    return {} if node is None else node if isinstance(node, Mapping) else None


def _put(document: dict, place: KeyPath, section: Mapping) -> dict:
    key = ".".join(map(str, place))
    return documents.with_value(document, key, dict(section))


def _dropped(section: Mapping, path: KeyPath) -> Mapping:
    """A section without the value at a path, nor mappings that it leaves empty."""
    first, *rest = path
    if first not in section:
        return section
    inner = section[str(first)]
    left = {key: value for key, value in section.items() if key != first}
    if not rest or not isinstance(inner, Mapping):
        return left
    inner = _dropped(inner, tuple(rest))
    return {**section, str(first): inner} if inner else left
