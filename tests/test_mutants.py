"""The list of mutants keeps up with the code; `python -m tests.mutants` runs them."""

import ast
import builtins

import pytest

from tests.mutants import MUTANTS, ROOT, Mutant, StaleError, broken

SOURCE = """
def outer(a, b):
    def inner(c):
        return c <= (  # a comment
            a
        )
    return inner(b) + (b <= a)
"""


def mutant(function: str, old: str, new: str) -> Mutant:
    return Mutant("rule", "file.py", function, old, new, "tests")


def test_a_mutant_is_found_whatever_its_formatting():
    changed = broken(mutant("outer.inner", "c <= a", "c < a"), SOURCE)
    assert changed == SOURCE.replace(
        "c <= (  # a comment\n            a\n        )", "(c < a)"
    )


def test_a_statement_keeps_its_indentation():
    changed = broken(mutant("inner", "return c <= a", "c += 1\nreturn c"), SOURCE)
    assert "    def inner(c):\n        c += 1\n        return c\n" in changed


@pytest.mark.parametrize(
    ("function", "old", "new", "message"),
    [
        ("gone", "c <= a", "c < a", "there is no function 'gone' any more"),
        ("outer", "c < a", "c <= a", "`c < a` stands 0 times in 'outer', not once"),
        ("outer", "b", "a", "`b` stands 2 times in 'outer', not once"),
        ("outer.inner", "c <= a", "(c <= a)", "the change changes nothing"),
    ],
)
def test_a_mutant_that_lost_its_place_is_named(function, old, new, message):
    with pytest.raises(StaleError) as error:
        broken(mutant(function, old, new), SOURCE)
    assert str(error.value) == f"file.py: 'rule': {message}"


def lost(mutant: Mutant) -> str | None:
    """What is wrong with a mutant of the list, None if nothing."""
    path = ROOT / mutant.file
    if not path.exists():
        return f"{mutant.file}: {mutant.rule!r}: there is no such file any more"
    if not (ROOT / mutant.tests).exists():
        return f"{mutant.file}: {mutant.rule!r}: no tests at {mutant.tests}"
    try:
        broken(mutant, path.read_text())
    except StaleError as error:
        return str(error)
    return None


def test_every_mutant_has_its_place_in_the_code():
    assert "\n".join(filter(None, map(lost, MUTANTS))) == ""


def strangers(mutant: Mutant) -> set[str]:
    """Names in the changed code that its file does not know: it would always fail."""
    source = ast.parse((ROOT / mutant.file).read_text())
    known = {node.id for node in ast.walk(source) if isinstance(node, ast.Name)}
    known |= {node.arg for node in ast.walk(source) if isinstance(node, ast.arg)}
    known |= {
        node.arg
        for node in ast.walk(ast.parse(mutant.new))
        if isinstance(node, ast.arg)
    }
    new = [
        node for node in ast.walk(ast.parse(mutant.new)) if isinstance(node, ast.Name)
    ]
    made = {node.id for node in new if isinstance(node.ctx, ast.Store)}
    return {node.id for node in new} - known - made - set(dir(builtins))


def test_no_mutant_dies_of_a_name_that_its_file_does_not_know():
    wrong = {f"{m.file}: {m.rule}": strangers(m) for m in MUTANTS if strangers(m)}
    assert wrong == {}


def test_every_rule_of_a_file_has_a_name_of_its_own():
    named = [(mutant.file, mutant.rule) for mutant in MUTANTS]
    assert len(named) == len(set(named)) > 200
