"""The page of rules says where each formula of the block stands, and it does."""

import ast
import re
from pathlib import Path

import pytest

from tests.mutants import MUTANTS, ROOT

PAGE = ROOT / "docs" / "rules.md"
HEAD = "| formula | in `market/twin/`"
MODULES = ("margin", "risk_steps", "liquidation", "staged", "ranking", "allocation")
NAME = re.compile(r"`(\w+\.\w+)`")


def rows() -> list[list[str]]:
    """Of each formula: its name and where the twin, kernels and arrays have it."""
    _, _, table = PAGE.read_text().partition(HEAD)
    lines = [line for line in table.split("\n\n")[0].splitlines()[2:]]
    return [NAME.findall(line) for line in lines]


def named_below(start: str) -> set[str]:
    """The formulas of the paragraph that starts so."""
    paragraphs = PAGE.read_text().split("\n\n")
    (text,) = [each for each in paragraphs if each.startswith(start)]
    return set(NAME.findall(text.partition(":")[2]))


FORMULAS = {formula: places for formula, *places in rows()}
FORMS = ("twin", "kernels", "arrays")


def function(path: Path, name: str) -> ast.FunctionDef:
    """A function of a file, by its name."""
    tree = ast.parse(path.read_text())
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
    assert found, f"{path.name} has no function {name}"
    return found[0]


def file_of(form: str, place: str) -> tuple[Path, str]:
    """The file and the function of a place of the table."""
    stem, name = place.split(".")
    return ROOT / "market" / form / f"{stem}.py", name


@pytest.mark.parametrize("formula", FORMULAS)
def test_each_form_has_the_formula_where_the_page_says(formula):
    assert len(FORMULAS[formula]) == len(FORMS)
    for form, place in zip(FORMS, FORMULAS[formula], strict=True):
        node = function(*file_of(form, place))
        used = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
        used |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        if form == "arrays":
            assert formula.split(".")[1] in used, f"{place} does not call {formula}"


def test_every_rule_has_its_place_on_the_page():
    rules = set()
    for stem in (*MODULES, "deleveraging", "funding"):
        tree = ast.parse((ROOT / "market" / "rules" / f"{stem}.py").read_text())
        functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
        rules |= {f"{stem}.{f.name}" for f in functions if not f.name.startswith("_")}
    groups = [
        set(FORMULAS),
        *(named_below(start) for start in ("Called by these", "In one place")),
        named_below("At a prompt alone"),
    ]
    assert sorted(rules) == sorted(name for group in groups for name in group)


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_change_in_each_place_is_tried(formula):
    twin, kernels, _ = FORMULAS[formula]
    places = {file_of("twin", twin), file_of("kernels", kernels)}
    places.add(file_of("rules", formula))  # which the arrays call
    tried = {
        (ROOT / mutant.file, mutant.function)
        for mutant in MUTANTS
        if mutant.tests.startswith("tests/market/forms/")
    }
    assert places - tried == set()
