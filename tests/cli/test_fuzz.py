"""A few of the damaged inputs of `python -m tests.fuzz`, the same ones every time."""

import pytest

from tests.fuzz.inputs import Inputs
from tests.fuzz.judge import judged
from tests.fuzz.proofs import proof_of_a_batch

CASES, SEED = 77, 9


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHAKEOUT_ENGINE", "tests.experiments.toy_engine")
        yield Inputs(tmp_path_factory.mktemp("fuzz"), proof_of_a_batch())


@pytest.mark.timeout(300)
def test_damaged_inputs_are_answered_in_a_sentence(inputs):
    wrong = []
    for number in range(CASES):
        kind, case = inputs.case(number, SEED)
        verdict = judged(case)
        if verdict.problem:
            wrong.append(f"case {number} ({kind}): {verdict.problem}\n{verdict.answer}")
    assert not wrong, "\n".join(wrong)


def test_the_judge_finds_what_it_is_there_for(inputs):
    def broken():
        raise TypeError("of the lab's own")

    from tests.fuzz.inputs import Case

    verdict = judged(Case(broken, lambda: None))
    assert "that the lab does not know" in verdict.problem
    assert judged(Case(["check", "nowhere"], lambda: None)).problem == ""
