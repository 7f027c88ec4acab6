"""What each kind of fault does to the conditions of a block, against plain Python."""

import pickle
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.units import PPM
from market.types.orders import Kind
from rollup.faults import FAULTS, Fault
from rollup.faults.contract import KEYS, RESOURCES, Conditions, calm
from rollup.faults.windows import conditions_of
from tests.rollup.faults.test_windows import SECOND, conditions, windows

M, N = 2, 5
CONDITIONS = jax.jit(conditions)
PASSES = jax.jit(lambda censor, *who: censor.passes_over(*who))


def fault(kind, **more):
    return {"kind": kind, "duration_us": SECOND, "markets": 0b11, **more}


def differing(now: Conditions, then: Conditions) -> set[str]:
    """Names of the fields in which two conditions differ."""
    names = set()
    for field in fields(Conditions):
        pair = [jax.tree.leaves(getattr(each, field.name)) for each in (now, then)]
        if any(np.any(a != b) for a, b in zip(*pair, strict=True)):
            names.add(field.name)
    return names


def test_without_faults_all_works():
    assert differing(conditions(windows()), calm(0, M, N)) == set()


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_no_severity_or_past_its_window_changes_nothing(kind):
    row = fault(kind, targets=1, bias_ppm=-PPM)
    still = windows({**row, "severity_ppm": 0})
    assert differing(CONDITIONS(still), calm(1, M, N)) <= {"censor"}
    assert not np.asarray(CONDITIONS(still).censor.share_ppm).any()
    assert differing(CONDITIONS(windows(row), now_us=SECOND), calm(1, M, N)) == set()


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("sequencer_halt", {"halted", "room_ppm"}),
        ("censorship", {"censor"}),
        ("da_outage", {"work_ppm"}),
        ("prover_delay", {"work_ppm"}),
        ("oracle_manipulation", {"bias_ppm"}),
        ("oracle_stuck", {"stuck"}),
        ("oracle_silence", {"silent"}),
    ],
)
def test_a_fault_touches_its_own_part_alone(kind, changes):
    struck = CONDITIONS(windows(fault(kind, targets=1, bias_ppm=-7)))
    assert differing(struck, calm(1, M, N)) == changes
    slow = {name for name in RESOURCES if int(struck.work_ppm[name]) < PPM}
    expected = {"da_outage": {"data"}, "prover_delay": {"prover"}}
    assert slow == expected.get(kind, set())


def test_of_several_faults_of_one_kind_the_most_severe_counts():
    for kind, read in [
        ("sequencer_halt", lambda now: now.room_ppm),
        ("da_outage", lambda now: now.work_ppm["data"]),
        ("prover_delay", lambda now: now.work_ppm["prover"]),
    ]:
        drawn = windows(
            fault(kind, severity_ppm=200_000),
            fault(kind, severity_ppm=700_000),
            fault(kind, severity_ppm=900_000, start_us=SECOND),
        )
        assert int(read(CONDITIONS(drawn))) == 300_000
        assert not bool(CONDITIONS(drawn).halted)
        assert int(read(CONDITIONS(drawn, now_us=SECOND))) == 100_000


def censored(drawn, now_us=0, luck=(0, 0, 0, 0)):
    """Four transactions: groups 1 and 3, an order and a liquidation of each."""
    return PASSES(
        CONDITIONS(drawn, now_us).censor,
        jnp.array([1, 1, 3, 3]),
        jnp.array([Kind.ORDER, Kind.LIQUIDATE] * 2),
        jnp.array(luck),
    ).tolist()


def test_censorship_names_groups_kinds_or_both():
    group = windows(fault("censorship", targets=1 << 3))
    kind = windows(fault("censorship", transactions=1 << Kind.LIQUIDATE))
    both = windows(
        fault("censorship", targets=1 << 1, transactions=1 << Kind.LIQUIDATE)
    )
    assert censored(group) == [False, False, True, True]
    assert censored(kind) == [False, True, False, True]
    assert censored(both) == [True, True, False, True]


def test_censorship_ends_with_its_window_and_other_faults_censor_no_one():
    over = windows(fault("censorship", targets=0b1111))
    other = windows(fault("sequencer_halt", targets=0b1111))
    assert not any(censored(over, now_us=SECOND))
    assert not any(censored(other))


def test_partial_censorship_hits_those_whose_luck_is_below_the_severity():
    drawn = windows(fault("censorship", targets=0b1010, severity_ppm=300_000))
    luck = (0, 299_999, 300_000, 999_999)
    assert censored(drawn, luck=luck) == [True, True, False, False]


strikes = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(list(FAULTS)),
        "start_us": st.integers(0, 2),
        "duration_us": st.integers(0, 3),
        "severity_ppm": st.sampled_from([0, 100_000, 300_000, 500_000, PPM]),
        "targets": st.integers(0, 7),
        "transactions": st.integers(0, 7),
        "bias_ppm": st.integers(-5, 5),
        "markets": st.integers(0, 3),
    }
)


def oracle(rows, now_us):
    """The conditions in plain Python: room, speeds, and per reporter what is wrong."""
    live = [
        r for r in rows if r["start_us"] <= now_us < r["start_us"] + r["duration_us"]
    ]

    def worst(kind):
        return max((r["severity_ppm"] for r in live if r["kind"] == kind), default=0)

    def hits(kind, market, reporter):
        for row in live:
            count = (2 * row["severity_ppm"] * N + PPM) // (2 * PPM)
            if (
                row["kind"] == kind
                and row["markets"] >> market & 1
                and reporter < count
            ):
                yield row

    def table(read):
        return [
            [read(market, reporter) for reporter in range(N)] for market in range(M)
        ]

    return {
        "room_ppm": PPM - worst("sequencer_halt"),
        "halted": worst("sequencer_halt") == PPM,
        "data": PPM - worst("da_outage"),
        "prover": PPM - worst("prover_delay"),
        "l1": PPM,
        "bias_ppm": table(
            lambda *at: sum(r["bias_ppm"] for r in hits("oracle_manipulation", *at))
        ),
        "stuck": table(lambda *at: any(True for _ in hits("oracle_stuck", *at))),
        "silent": table(lambda *at: any(True for _ in hits("oracle_silence", *at))),
    }


@given(rows=st.lists(strikes, min_size=3, max_size=3), now_us=st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_the_conditions_are_what_the_faults_say(rows, now_us):
    got = CONDITIONS(windows(*rows), now_us)
    found = {**vars(got), **got.work_ppm}
    for name, expected in oracle(rows, now_us).items():
        assert np.asarray(found[name]).tolist() == expected, name


@given(
    rows=st.lists(strikes, min_size=3, max_size=3),
    group=st.integers(0, 3),
    kind=st.integers(0, 3),
    luck=st.sampled_from([0, 99_999, 100_000, 400_000, 999_999]),
)
@settings(max_examples=100, deadline=None)
def test_a_transaction_is_passed_over_if_any_censor_names_it(rows, group, kind, luck):
    who = [jnp.array([each]) for each in (group, kind, luck)]
    got = bool(PASSES(CONDITIONS(windows(*rows), 1).censor, *who)[0])
    assert got == any(
        row["kind"] == "censorship"
        and row["start_us"] <= 1 < row["start_us"] + row["duration_us"]
        and (row["targets"] >> group & 1 or row["transactions"] >> kind & 1)
        and luck < row["severity_ppm"]
        for row in rows
    )


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_kind_of_fault_says_what_a_config_and_a_report_need(fault):
    assert FAULTS[fault.name] is fault
    assert fault.what and not fault.what.endswith(".")
    assert set(fault.reads) <= set(KEYS)
    assert {key for keys in fault.needs for key in keys} <= set(fault.reads)
    assert pickle.loads(pickle.dumps(fault)) == fault


def test_a_title_is_the_name_in_words_unless_it_is_given():
    assert FAULTS["sequencer_halt"].title == "sequencer halt"
    assert FAULTS["da_outage"].title == "DA outage"


def _grows(conditions, strikes):
    """A censor that passes over a tenth more every second, up to its severity."""
    share = jnp.minimum(strikes.since_us * PPM // (10 * SECOND), strikes.severity_ppm)
    censor = replace(conditions.censor, targets=strikes.targets, share_ppm=share)
    return replace(conditions, censor=censor)


def test_a_fault_from_outside_strikes_under_the_number_behind_ours():
    kinds = (*FAULTS.values(), Fault("slow_censor", "it grows", _grows))
    row = fault(len(FAULTS), start_us=SECOND, duration_us=9 * SECOND, targets=1)
    shares = [
        int(
            conditions_of(
                windows(row, fault("da_outage", duration_us=0)),
                jnp.int64(second * SECOND),
                faults=kinds,
                markets=M,
                reporters=N,
            ).censor.share_ppm[0]
        )
        for second in (0, 1, 2, 5, 9, 10)
    ]
    assert shares == [0, 0, 100_000, 400_000, 800_000, 0]
