"""A cluster of three nodes, and what befalls it; each trial in a process of its own.

They share one cluster where they leave it whole. `tests.trials.cluster` says what each
does, and has more.
"""

import subprocess
import sys

import pytest

from tests.trials.cluster import TRIALS
from tests.trials.drivers import HOME

pytestmark = [pytest.mark.ray, pytest.mark.slow]

KEPT = (
    "nobody_listens_at_the_address",
    "there_are_more_workers_than_cpus",
    "a_worker_is_killed",
    "a_node_is_lost",
)


def test_a_cluster_gives_all_rows_or_a_message(tmp_path):
    assert set(KEPT) <= set(TRIALS)
    done = subprocess.run(
        [sys.executable, "-m", "tests.trials.cluster", tmp_path / "trials", *KEPT],
        cwd=HOME,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
