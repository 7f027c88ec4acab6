"""What a config says in vain is refused, with both keys, before anything starts."""

import json

import pytest

from experiments import config
from experiments.config.errors import ConfigError
from rollup.stark.prove.timing import ProvingLaw
from rollup.stark.rules.parameters import StarkParameters


def fault(**keys):
    given = {"kind": "sequencer_halt", "start": "10s", "duration": "10s", **keys}
    return {"faults": [{k: v for k, v in given.items() if v is not None}]}


def people(**keys):
    return {"populations": {"leveraged_traders": keys}}


CRASH = {
    "depth": 0.2,
    "minutes": 9,
    "worst": 0.06,
    "widest": 0.1,
    "deviation": 0.02,
    "rebound": 0.3,
}
#: The config, and what the message names: the key with its value, and the other key.
IN_VAIN = [
    (
        people(leverage=500, max_leverage=45),
        r"populations\.leveraged_traders\.leverage = 500: .*max_leverage = 45",
    ),
    (people(leverage=31), r"leverage = 31: must be at most max_leverage = 30"),
    (fault(start="2m"), r"faults\.0\.start = 2m: the run ends at 1m \(world\.blocks"),
    (fault(duration="0s"), r"faults\.0\.duration = 0: it never strikes"),
    (fault(chance=0), r"faults\.0\.chance = 0: it never strikes"),
    (fault(severity=0), r"faults\.0\.severity = 0: it never strikes"),
    (
        fault(kind="oracle_silence", severity=0.05),
        r"faults\.0\.severity = 0\.05: .*oracle\.reporters = 5",
    ),
    (
        {
            **fault(kind="censorship", targets=["liquidators"]),
            "populations": {"liquidators": {"count": 0}},
        },
        r"faults\.0\.targets = liquidators: none of them has members",
    ),
    (
        {"prices": {"model": "crash", "shocks": [{"at": "1m", "size": 0.1}]}},
        r"prices\.shocks\.0\.at = 1m: the run ends at 1m",
    ),
    (
        {"prices": {"model": "crash", "shocks": [{"at": "1s", "size": 0}]}},
        r"prices\.shocks\.0\.size = 0: changes nothing",
    ),
    (
        {"prices": {"model": "crash", "figures": "2025-10-10", "custom": CRASH}},
        "figures = 2025-10-10 and custom: give one",
    ),
    (
        {"venue": {"liquidation": {"min_notional": 9, "max_notional": 8}}},
        r"venue\.liquidation\.min_notional = 9: .*max_notional = 8",
    ),
    (
        {
            "venue": {"preset": "starkex", "initial_margin": 0.01, "risk_factor": 0.02},
        },
        r"venue\.initial_margin = 0\.01: .*venue\.risk_factor = 0\.02",
    ),
    (
        {
            "world": {"blocks": 60, "block_ms": 90_000},
            "venue": {"funding": {"sample": "1m"}},
        },
        r"venue\.funding\.sample = 1m: .*world\.block_ms = 90000",
    ),
    (
        {
            "world": {"blocks": 60, "block_ms": 90_000},
            "venue": {"circuit_breaker": {"move": 0.1, "window": "1s"}},
        },
        r"venue\.circuit_breaker\.window = 1s: .*world\.block_ms",
    ),
    ({"oracle": {"delay": "1m"}}, r"oracle\.delay = 1m: .*world\.duration = 1m"),
    (
        {"rollup": {"prove": True, "prove_runs": [0, 16], "batch_blocks": 30}},
        r"rollup\.prove_runs\.1 = 16: must be below runs = 16",
    ),
    (
        {"rollup": {"prove": True, "batch_blocks": 61}},
        r"rollup\.prove = true: .*rollup\.batch_blocks = 61",
    ),
]


@pytest.mark.parametrize(("document", "problem"), IN_VAIN)
def test_what_is_said_in_vain_is_refused_with_both_keys(document, problem):
    with pytest.raises(ConfigError, match=problem):
        config.load({"world": {"blocks": 60}, **document})


def test_the_line_of_the_file_is_told(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(
        "world: {blocks: 60}\nfaults:\n"
        "- {kind: sequencer_halt,\n   start: 5m, duration: 1s}\n"
    )
    with pytest.raises(ConfigError, match=r"^x\.yaml:4: faults\.0\.start = 5m"):
        config.load(path)


@pytest.mark.parametrize("key", ["duration", "severity", "chance"])
def test_an_axis_may_have_nothing_as_its_base(key):
    values = ["0s", "5s"] if key == "duration" else [0, 0.5]
    document = {
        "world": {"blocks": 60},
        **fault(),
        "sweep": {f"faults.0.{key}": values},
    }
    assert len(config.load(document).points) == 2


def test_an_axis_may_not_say_what_cannot_happen():
    axis = {"populations.leveraged_traders.leverage": [8, 500]}
    problem = r"sweep\.populations\.leveraged_traders\.leverage: .*= 500: must be at"
    with pytest.raises(ConfigError, match=problem):
        config.load({"sweep": axis})


def test_a_law_and_another_proving_time_contradict_each_other(tmp_path):
    law = ProvingLaw(StarkParameters(), ((12, 1_000_000), (16, 13_000_000)))
    (tmp_path / "law.json").write_text(json.dumps(law.to_dict()))
    rollup = {"proving_law": str(tmp_path / "law.json")}
    experiment = config.load({"rollup": rollup})
    again = config.expand(experiment.as_document())
    assert again.hash == experiment.hash
    with pytest.raises(ConfigError, match="proving = 7s: proving_law says 1s"):
        config.load({"rollup": {**rollup, "proving": "7s"}})


@pytest.mark.parametrize("scenario", config.scenario_names())
def test_no_ready_scenario_says_anything_in_vain(scenario):
    config.load(scenario)
