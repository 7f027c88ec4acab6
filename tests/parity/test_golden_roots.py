"""The ready scenarios end in the state roots that are written down.

The roots of `smoke` are held by `tests.cli.test_smoke`, which runs it anyway.
"""

import pytest

from tests.parity.golden import ADVICE, CASES, golden, run


def test_every_case_has_its_roots_written_down():
    assert golden().keys() == CASES.keys()
    roots = [root for case in golden().values() for root in case.values()]
    assert all(len(root) == 64 and int(root, 16) for root in roots)


@pytest.mark.slow
@pytest.mark.parametrize("case", [name for name in CASES if name != "smoke"])
def test_a_ready_scenario_ends_in_its_roots(case, tmp_path):
    assert run(case, tmp_path / "out") == golden()[case], ADVICE.format(case=case)
