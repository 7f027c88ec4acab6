"""The list of mutants keeps up with the code; `python -m tests.mutants` runs them."""

from tests.mutants import MUTANTS, ROOT


def test_every_mutant_changes_a_line_that_is_there():
    stale = [
        f"{mutant.file}: {mutant.rule}"
        for mutant in MUTANTS
        if mutant.old not in (ROOT / mutant.file).read_text()
        or mutant.old == mutant.new
        or not (ROOT / mutant.tests).exists()
    ]
    assert stale == []


def test_every_rule_of_a_file_has_a_name_of_its_own():
    named = [(mutant.file, mutant.rule) for mutant in MUTANTS]
    assert len(named) == len(set(named))
