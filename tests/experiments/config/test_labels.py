"""Labels of a sweep: every row is called what its run was, or nothing is run."""

import pytest

from experiments import config
from experiments.config.errors import ConfigError
from experiments.config.sweep import label_of

HALT = {"kind": "sequencer_halt", "start": "1m", "duration": "10s"}
FEES = [0.001, 0.002]
BASE = {
    "world": {"blocks": 600},
    "populations": {"whales": {"family": "leveraged_traders", "count": 2}},
}


def named(**variants):
    return [{"name": name, "set": what} for name, what in variants.items()]


REFUSED = {
    "two axes of one key": (
        {"venue.taker_fee": FEES, "fee": named(dear={"venue.taker_fee": 0.003})},
        r"sweep\.fee: sets venue\.taker_fee, and sweep\.venue\.taker_fee sets",
    ),
    "a section and a key in it": (
        {"venue.taker_fee": FEES, "venue": [{"preset": "starkex"}, {"taker_fee": 0}]},
        "sets venue, and sweep.venue.taker_fee sets",
    ),
    "a key and its section, the other way": (
        {"sequencer": [{"policy": "fcfs"}], "sequencer.composed.rank": ["bid"]},
        "sets sequencer.composed.rank, and sweep.sequencer sets sequencer",
    ),
    "a list and an entry of it": (
        {"fault": named(halt={"faults": [HALT]}), "faults.0.start": ["1m", "2m"]},
        "sets faults.0.start, and sweep.fault sets faults",
    ),
    "variants of two axes, one key in some": (
        {
            "a": named(x={"venue.taker_fee": 0.1}, y={"rollup.batch_blocks": 5}),
            "b": named(z={}, w={"rollup.batch_blocks": 9}),
        },
        "sweep.b: sets rollup.batch_blocks, and sweep.a sets",
    ),
    "one key twice in a variant": (
        {"v": named(x={"venue": {"taker_fee": 0.1}, "venue.taker_fee": 0.2})},
        "sweep.v.x.set: venue and venue.taker_fee set one key",
    ),
    "one duration in two words": (
        {"oracle.delay": ["60s", "1m"]},
        "sweep.oracle.delay: 60s and 1m are the same world",
    ),
    "one fraction in two words": (
        {"venue.taker_fee": ["0.1%", 0.001]},
        "are the same world",
    ),
    "an int and a float": ({"venue.taker_fee": [0, 0.0]}, "are the same world"),
    "0.1 and 0.10": ({"venue.taker_fee": [0.1, 0.10]}, "0.1 stands twice"),
    "finer than the smallest step": (
        {"venue.taker_fee": [0.0000014, 0.01]},
        "is to be 1.4e-06, and its config holds 1e-06",
    ),
    "a default said aloud": (
        {"sequencer": [{}, {"policy": "fcfs"}]},
        "are the same world",
    ),
    "two names of one world": (
        {"v": named(a={"venue.taker_fee": 0.01}, b={"venue.taker_fee": "1%"})},
        "sweep.v: a and b are the same world",
    ),
    "an axis that is called like a key and sets another": (
        {"sequencer.policy": named(batch_auction={"sequencer.block_txs": 64})},
        "its variant 'batch_auction' leaves sequencer.policy at 'fcfs'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_label_that_would_lie_is_refused(case):
    sweep, problem = REFUSED[case]
    with pytest.raises(ConfigError, match=problem):
        config.expand({**BASE, "sweep": sweep})


ALLOWED = {
    "percentages": {"venue.taker_fee": ["0.1%", "0.25%"]},
    "floats of an API": {"venue.taker_fee": [0.1 * 0.1, 0.05]},
    "durations": {"oracle.delay": ["250ms", "1.5s"]},
    "sections": {"venue": [{"preset": "starkex"}, {"preset": "hyperliquid"}]},
    "lists": {"faults": [[], [HALT]]},
    "nothing": {"oracle.max_age": [None, "30s"]},
    "groups": {"populations.liquidators.count": [2, 4]},
    "variants under the name of a section": {
        "faults": named(none={}, halt={"faults": [HALT]})
    },
    "variants that are called like their value": {
        "sequencer.policy": named(
            fcfs={"sequencer.policy": "fcfs", "sequencer.block_txs": 64},
            batch_auction={"sequencer.policy": "batch_auction"},
        )
    },
}


@pytest.mark.parametrize("case", ALLOWED)
def test_a_label_that_holds_is_kept_as_written(case):
    experiment = config.expand({**BASE, "sweep": ALLOWED[case]})
    assert len(experiment.points) == 2


LOST = {
    "the swept key": "venue.taker_fee=0.003",
    "its section": "venue={taker_fee: 0.003}",
    "a key of a variant": "faults=[]",
    "a key inside": "faults.0.start=3m",
}


@pytest.mark.parametrize("case", LOST)
def test_an_override_that_an_axis_undoes_is_refused(case):
    document = {
        "faults": [HALT],
        "sweep": {
            "venue.taker_fee": FEES,
            "fault": named(none={}, long={"faults": [{**HALT, "duration": "30s"}]}),
        },
    }
    with pytest.raises(ConfigError, match=r"--set: .* the axis sweep\."):
        config.load(document, [LOST[case]])
    key, _, value = LOST[case].partition("=")
    with pytest.raises(ConfigError, match=r"the axis sweep\."):
        config.load(document, {key: {"taker_fee": 1} if "{" in value else value})


def test_an_override_may_change_an_axis_or_drop_the_sweep():
    document = {"sweep": {"venue.taker_fee": FEES}}
    changed = config.load(document, ["sweep.venue.taker_fee=[0.005]"])
    assert [point.axes for point in changed.points] == [{"venue.taker_fee": 0.005}]
    plain = config.load(document, ["sweep={}", "venue.taker_fee=0.003"])
    assert plain.configs[0].venue.taker_fee == 3000
    kept = config.load(document, ["venue.preset=starkex"])
    assert [each.venue.preset for each in kept.configs] == ["starkex"] * 2


def test_a_value_with_numbers_among_its_keys_has_a_label():
    assert label_of({1_000: "b", "set": {}}) == '{"1000": "b", "set": {}}'
