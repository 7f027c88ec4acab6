"""The rooms of `market/` stand on six floors; imports point down.

import-linter holds the floors (the contract in `pyproject.toml`, run by
`tests.structure.test_layers`). Here: that every room stands on a floor, that the rooms
of one floor do not import each other in a circle, and that the specification knows no
compiled form.
"""

import tomllib
from collections.abc import Mapping

from tests.structure import sources

SETTINGS = tomllib.loads((sources.HOME / "pyproject.toml").read_text())
CONTRACTS = SETTINGS["tool"]["importlinter"]["contracts"]
FLOORS = next(c for c in CONTRACTS if c["name"] == "the floors of the market")["layers"]
MOST_FLOORS = 6


def room_of(name: str) -> str | None:
    """`market.rules` for anything in it; None outside the market's rooms."""
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "market" and len(parts) > 1 else None


def imports_of_rooms() -> dict[str, set[str]]:
    """The rooms that each room of the market imports, but for itself."""
    result: dict[str, set[str]] = {}
    for path in sources.files("market"):
        room = room_of(sources.module_of(path))
        if room:
            names = map(room_of, sources.imported(sources.tree(path)))
            result.setdefault(room, set()).update({n for n in names if n} - {room})
    return result


def circle(graph: Mapping[str, set[str]]) -> set[str]:
    """The nodes that are left when those without arrows are taken away in turn."""
    left = {node: arrows & graph.keys() for node, arrows in graph.items()}
    while bare := {node for node, arrows in left.items() if not arrows}:
        left = {n: arrows - bare for n, arrows in left.items() if n not in bare}
    return set(left)


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"a"}, "c": {"a"}, "d": set()}) == {"a", "b", "c"}
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == set()


def test_every_room_of_the_market_stands_on_one_of_six_floors():
    rooms = [name.strip() for floor in FLOORS for name in floor.split(":")]
    assert len(FLOORS) <= MOST_FLOORS
    assert sorted(rooms) == sorted(imports_of_rooms())


def test_no_rooms_import_each_other_in_a_circle():
    assert circle(imports_of_rooms()) == set()


def test_the_specification_knows_no_compiled_form():
    forms = {"market.kernels", "market.arrays", "market.native"}
    assert imports_of_rooms()["market.twin"] & forms == set()
    foreign = {
        f"{path}: {name}"
        for path in sources.files("market/twin")
        for name in sources.imported(sources.tree(path))
        if name.split(".")[0] in {"jax", "numba", "numpy"}
    }
    assert foreign == set()
