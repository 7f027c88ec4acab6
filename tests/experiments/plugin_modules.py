"""Modules of a user's, written into a folder that only the test knows."""

import itertools

from experiments.config import plugins

_NUMBERS = itertools.count()

_SCHEME = """
from dataclasses import dataclass
{imports}
from rollup.sequencing.contract import SequencerParams

@dataclass(frozen=True)
class Lifo:
    name: str = "lifo"
    params: type = SequencerParams

    def __getattr__(self, name):
        if name in {given!r}:
            return None
        raise AttributeError(name)

LIFO = Lifo()
"""


def scheme_source(without=(), imports=""):
    """A module with a value that has what the contract of a scheme asks."""
    given = [name for name in plugins.SCHEME.members if name not in without]
    return _SCHEME.format(given=given, imports=imports)


class Lab:
    """A folder of a user's."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, text):
        """Writes a module under a name that no other test has; returns the name."""
        name = f"my_module_{next(_NUMBERS)}"
        (self.folder / f"{name}.py").write_text(text)
        return name
