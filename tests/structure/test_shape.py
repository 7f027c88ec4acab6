"""The shape of the code: short parameter lists, short files, rooms with a purpose."""

import ast

import pytest

from tests.structure import sources

MOST_PARAMETERS = 8
MOST_LINES = 450

#: Functions that may take more, each with its reason.
LONG_LISTS = {
    "rollup/commitments/hashing/blake2s_native.py: _round": "the sixteen places of a "
    "message are constants of the round, which the compiler then keeps in registers",
}

#: Files that may be longer, each with its reason.
LONG_FILES: dict[str, str] = {}


def parameters(function: sources.Function) -> int:
    """How many parameters a caller has to know; `self` and `cls` are none."""
    spec = function.args
    names = [arg.arg for arg in spec.posonlyargs + spec.args]
    bound = bool(names) and names[0] in ("self", "cls")
    rest = (spec.vararg is not None) + (spec.kwarg is not None)
    return len(names) - bound + len(spec.kwonlyargs) + rest


def long_lists() -> set[str]:
    """`file: function` of every function with too many parameters."""
    return {
        f"{path}: {function.name}"
        for path in sources.files(*sources.PACKAGES)
        for function in sources.functions(sources.tree(path))
        if parameters(function) > MOST_PARAMETERS
    }


def test_parameters_are_counted():
    code = "def f(self, a, /, b, *c, d, e=1, **g): ..."
    assert parameters(next(sources.functions(ast.parse(code)))) == 6


def test_no_function_takes_more_than_eight_parameters():
    assert long_lists() - LONG_LISTS.keys() == set()


def test_no_exception_outlives_its_function():
    assert LONG_LISTS.keys() - long_lists() == set()


def test_no_file_is_longer_than_it_can_be_read():
    long = {
        str(path): lines
        for path in sources.files(*sources.PACKAGES)
        if (lines := (sources.HOME / path).read_text().count("\n")) > MOST_LINES
    }
    assert long.keys() == LONG_FILES.keys(), long


FOLDERS = sorted(
    {
        str(path.parent)
        for path in sources.files(*sources.PACKAGES)
        if path.parent.name != "templates"
    }
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_room_says_what_it_is_for(folder):
    path = sources.HOME / folder / "__init__.py"
    assert path.exists(), f"{folder} is no package: it has no __init__.py"
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"
