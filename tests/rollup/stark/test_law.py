"""The proving law: a staircase in the updates, from measured points."""

import pytest

from rollup.stark.prove.timing import ProvingLaw, measure_law, sample_batch
from rollup.stark.rules.parameters import StarkParameters
from tests.rollup.stark.batches import SMALL

LAW = ProvingLaw(StarkParameters(), ((12, 1_000_000), (14, 2_000_000), (16, 6_000_000)))


def test_measured_sizes_come_back():
    assert [LAW.microseconds(u) for u in (256, 1024, 4096)] == [
        10**6,
        2 * 10**6,
        6 * 10**6,
    ]


def test_a_batch_costs_what_its_trace_costs():
    assert LAW.microseconds(257) == LAW.microseconds(512) > LAW.microseconds(256)
    assert LAW.microseconds(0) == LAW.microseconds(1) == LAW.microseconds(256)


def test_time_never_falls_with_more_updates():
    times = [LAW.microseconds(u) for u in (1, 300, 600, 2000, 4097, 9000, 65536, 65537)]
    assert times == sorted(times)


def test_beyond_the_largest_trace_proofs_follow_each_other():
    whole = LAW.microseconds(65536)
    assert LAW.microseconds(2 * 65536) == 2 * whole
    assert LAW.microseconds(2 * 65536 + 1) == 2 * whole + LAW.microseconds(1)


def test_a_law_survives_its_json_form():
    assert ProvingLaw.from_dict(LAW.to_dict()) == LAW


def test_a_law_is_measured_with_real_proofs():
    law = measure_law(SMALL, log_rows=(12,), repeats=1)
    assert law.points[0][0] == 12 and law.points[0][1] > 10_000
    assert law.microseconds(1000) >= law.microseconds(10)


def test_a_sample_batch_needs_enough_accounts():
    with pytest.raises(ValueError, match="accounts"):
        sample_batch(4, 6)
