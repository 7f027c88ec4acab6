"""Refuses to go on where somebody else's module stands before a package of the lab.

`agents` and `market` are names that others use as well: Mesa's usual layout has an
`agents.py` beside the script, and pip lets the later of two distributions overwrite
the earlier without a word. This module imports nothing of the lab, so it can speak
wherever the clash shows first.
"""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

#: The folder that holds the packages.
HOME = Path(__file__).resolve().parents[1]
#: A file of each package that no namesake has.
LANDMARKS = {
    "market": "numbers/randomness.py",
    "rollup": "mempool.py",
    "agents": "world.py",
    "experiments": "engine.py",
}
PACKAGES = tuple(LANDMARKS)


class ShadowedError(ImportError):
    """A file, a folder or a distribution stands before a package of the lab."""


def check_packages() -> None:
    """Compares where the packages of the lab come from with where they should.

    Raises:
        ShadowedError: one of them is missing, or is somebody else's; says which file
            it is and what to do.
    """
    told = [problem for name in PACKAGES if (problem := _problem(name))]
    if told:
        raise ShadowedError("\n".join(told))


def check_folder(folder: Path) -> None:
    """The same for a folder that will stand first in the path of another process.

    Raises:
        ShadowedError: it holds a namesake of a package of the lab.
    """
    found = [place for name in PACKAGES if (place := namesake_in(folder, name))]
    if found:
        raise ShadowedError("\n".join(map(advice, found)))


def namesake_in(folder: Path, name: str) -> Path | None:
    """A module or package of that name in a folder, unless it is the lab's own."""
    for place in (folder / f"{name}.py", folder / name):
        is_module = place.is_file() or (place / "__init__.py").is_file()
        if is_module and place.resolve() != HOME / name:
            return place.resolve()
    return None


def advice(place: Path) -> str:
    """What to do about a file or folder of a user's that is in the way."""
    return (
        f"{place} hides the lab's own package {place.stem!r}: rename it, for example "
        f"to my_{place.name}, and what imports it; or start from another folder"
    )


def _problem(name: str) -> str:
    """What is wrong with one package; empty where it is the lab's own."""
    ours = HOME / name
    if not (ours / LANDMARKS[name]).is_file():
        return (
            f"{ours} is not the lab's own package {name!r}: another distribution has "
            f"overwritten it; {_OWN_ENVIRONMENT}"
        )
    found = _place_of(name)
    if found is None:
        return f"the package {name!r} is not found; {_OWN_ENVIRONMENT}"
    if found == ours:
        return ""
    if found.parent.name in ("site-packages", "dist-packages"):
        return (
            f"{found} of another distribution hides the lab's own package {name!r}; "
            f"{_OWN_ENVIRONMENT}"
        )
    if (found / LANDMARKS[name]).is_file():
        return (
            f"{found} is of another copy of the lab than {HOME}: unset PYTHONPATH, or "
            "start from another folder"
        )
    return advice(found)


_OWN_ENVIRONMENT = (
    "install shakeout into an environment of its own "
    "(python -m venv .venv && .venv/bin/pip install -e .)"
)


def _place_of(name: str) -> Path | None:
    """The folder or file that a package is, or would be, imported from."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    inside: Iterable[str] = spec.submodule_search_locations or ()
    place = next(iter(inside), spec.origin)
    return Path(place).resolve() if place else None
