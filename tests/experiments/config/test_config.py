import pytest

from experiments import config
from experiments.config.errors import ConfigError

HALT = {"kind": "sequencer_halt", "start": "12m", "duration": "5m"}


def test_every_default_is_valid_and_written_out_reads_back_to_the_same():
    first = config.expand({})
    again = config.expand(first.as_document())
    assert again.configs == first.configs
    assert again.hash == first.hash


@pytest.mark.parametrize("name", config.scenario_names())
def test_ready_scenarios_are_valid_and_survive_a_round_trip(name):
    experiment = config.load(name)
    assert config.expand(experiment.as_document()).hash == experiment.hash


def test_the_hash_is_of_the_meaning_not_the_text():
    seconds = config.expand({"faults": [{**HALT, "start": "720s"}]})
    assert seconds.hash == config.expand({"faults": [HALT]}).hash


def test_the_hash_leaves_the_plan_out_and_takes_the_rest_in():
    plain = config.expand({})
    assert config.expand({"plan": {"lanes": 4, "workers": 2}}).hash == plain.hash
    assert config.expand({"seed": 1}).hash != plain.hash
    assert config.expand({"venue": {"taker_fee": 0.0004}}).hash != plain.hash


def test_the_hash_leaves_out_what_is_asked_of_finished_results():
    plain = config.expand({})
    assert config.expand({"checks": ["bad_debt == 0"]}).hash == plain.hash
    assert config.expand({"metrics": ["bad_debt"]}).hash != plain.hash


def test_a_duration_and_its_blocks_are_the_same_world():
    blocks = config.expand({"world": {"blocks": 600, "block_ms": 500}})
    assert (
        config.expand({"world": {"duration": "5m", "block_ms": 500}}).hash
        == blocks.hash
    )


def test_a_sweep_is_the_product_of_its_axes_the_last_fastest():
    experiment = config.expand(
        {
            "sweep": {
                "fault": [
                    {"name": "none"},
                    {"name": "halt", "set": {"faults": [HALT]}},
                ],
                "sequencer.policy": ["fcfs", "batch_auction"],
            }
        }
    )
    assert [list(point.axes.values()) for point in experiment.points] == [
        ["none", "fcfs"],
        ["none", "batch_auction"],
        ["halt", "fcfs"],
        ["halt", "batch_auction"],
    ]
    assert [len(c.faults) for c in experiment.configs] == [0, 0, 1, 1]
    assert [c.sequencer.policy for c in experiment.configs][2] == "fcfs"


def test_a_sweep_over_an_entry_of_a_list_changes_that_entry():
    experiment = config.expand(
        {"faults": [HALT], "sweep": {"faults.0.duration": ["1m", "2m"]}}
    )
    durations = [c.faults[0].duration for c in experiment.configs]
    assert durations == [60_000_000, 120_000_000]


BAD = [
    ({"sequncer": {}}, r"unknown key 'sequncer' \(did you mean 'sequencer'\?\)"),
    ({"sequencer": {"polcy": 1}}, r"sequencer\.polcy = 1: unknown key .* 'policy'"),
    ({"sequencer": {"policy": "fcsf"}}, r"scheme 'fcsf' \(did you mean 'fcfs'\?\)"),
    ({"sequencer": {"block_txs": 99, "queue": 16}}, "block_txs = 99: must be at most"),
    ({"runs": 0}, "runs = 0: must be at least 1"),
    ({"runs": 2.0}, r"runs = 2\.0: must be a whole number"),
    ({"runs": True}, "runs = True: must be a whole number"),
    ({"runs": "16"}, "runs = '16': must be a whole number"),
    ({"name": "no spaces"}, "name = 'no spaces': must match"),
    ({"world": {"blocks": 3, "duration": "3s"}}, "blocks or duration, not both"),
    ({"world": {"duration": "3"}}, "world.duration = '3': must be a duration such as"),
    ({"world": {"blocks": 10, "series_every": 11}}, "series_every must be at most"),
    ({"venue": {"taker_fee": 2}}, r"venue\.taker_fee = 2: must be at most 0\.05"),
    ({"venue": {"taker_fee": float("nan")}}, "taker_fee = nan: .*finite"),
    ({"venue": {"deleveraging": "prorata"}}, "did you mean 'pro_rata'"),
    ({"sweep": {"venue.deleveraging": ["bitmex", "bitmax"]}},
     "deleveraging = 'bitmax': must be one of .*did you mean 'bitmex'"),
    ({"venue": {"isolated": ["SOLL"]}},
     r"isolated: unknown market 'SOLL' \(did you mean 'SOL'\?\)"),
    ({"venue": {"isolated_insurance": 5}}, "no market is isolated"),
    ({"venue": {"markets": []}}, r"venue\.markets.*at least 1"),
    ({"venue": {"markets": ["BTC", "BTC"]}}, "a name stands twice"),
    ({"venue": {"tiers": {"DOGE": "fx"}}}, "unknown market 'DOGE'"),
    ({"venue": {"tiers": {"BTC": "huge"}}}, "unknown tier 'huge'; .*large_cap"),
    ({"venue": {"funding": {"interval": "90s", "sample": "1m"}}},
     "whole number of samples"),
    ({"venue": {"preset": "hyperlikuid"}},
     r"unknown preset 'hyperlikuid' \(did you mean 'hyperliquid'\?\).*dydx_v4"),
    ({"populations": {"vault": {"count": 1}}}, "preset dydx_v4 has no vault"),
    ({"populations": {"vault": {"count": 2}}}, "count = 2: must be at most 1"),
    ({"populations": {"market_makers": {"cuont": 3}}}, "did you mean 'count'"),
    ({"populations": {"searchers": 3}}, "populations.searchers = 3: must be a mapping"),
    ({"populations": {n: {"count": 0} for n in
      ("market_makers", "leveraged_traders", "searchers", "liquidators")}},
     "somebody must take part"),
    ({"prices": {"model": "crsh"}}, r"price model 'crsh' \(did you mean 'crash'\?\)"),
    ({"prices": {}}, "needs the key model"),
    ({"prices": {"model": "crash", "figures": "2020-03-11"}}, "unknown crash"),
    ({"prices": {"model": "crash", "volatility": 1}}, "unknown key 'volatility'"),
    ({"prices": {"model": "crash", "custom": {"depth": 0.1}}}, "minutes: is missing"),
    ({"prices": {"model": "replay", "file": "no.csv"}}, r"/no\.csv: no such file"),
    ({"sequencer": {"composed": {}}}, "composed: the policy fcfs is not composed"),
    ({"sequencer": {"numbers": {"lane_delay": "1s"}}},
     r"numbers\.lane_delay.*unknown key 'lane_delay'; allowed: nothing"),
    ({"sequencer": {"policy": "composed", "composed": {"hold": {"taker": "1ms"}}}},
     "composed.hold"),
    ({"sequencer": {"policy": "composed", "composed": {"hold": {"take": "2h"}}}},
     r"hold\.take = '2h': must be at most 30m"),
    ({"sequencer": {"policy": "composed", "composed": {"hold": {"take": ["2ms"]}}}},
     "the least and the most of a range"),
    ({"sequencer": {"policy": "composed", "composed": {"every": "5us"}}},
     r"every = '5us': must be at least 10us"),
    ({"sequencer": {"policy": "composed", "composed": {"classes": ["take", "take"]}}},
     "classes: take stands twice"),
    ({"sequencer": {"policy": "composed", "composed": {"rank": "size"}}},
     "rank = 'size': must be one of arrival, fee, random"),
    ({"faults": [{"kind": "halt"}]}, r"faults\.0\.kind = 'halt': unknown fault 'halt'"),
    ({"faults": [{**HALT, "targets": ["searchers"]}]}, "has no targets"),
    ({"faults": [{**HALT, "kind": "censorship"}]}, "needs targets"),
    ({"faults": [{**HALT, "kind": "censorship", "targets": ["makers"]}]},
     r"targets\.0: unknown group or family 'makers' \(did you mean 'market_makers'"),
    ({"faults": [{**HALT, "kind": "oracle_stuk"}]}, "did you mean 'oracle_stuck'"),
    ({"faults": [{**HALT, "kind": "oracle_manipulation"}]}, "needs bias"),
    ({"faults": [{**HALT, "kind": "oracle_stuck", "bias": 0.1}]}, "has no bias"),
    ({"faults": [{**HALT, "markets": ["BTC"]}]}, "sequencer_halt has no markets"),
    ({"faults": [{**HALT, "kind": "oracle_stuck", "markets": ["BTX"]}]},
     r"faults\.0\.markets: unknown market 'BTX' \(did you mean 'BTC'\?\)"),
    ({"faults": [{**HALT, "kind": "oracle_manipulation", "bias": -1}]},
     r"bias = -1: must be at least -0\.99"),
    ({"oracle": {"max_age": "9s", "heartbeat": "1m"}}, "must be at least heartbeat"),
    ({"oracle": {"max_age": "0s"}}, "max_age = '0s': must be at least 1ms"),
    ({"oracle": {"quorum": 6}}, "quorum = 6: must be at most reporters = 5"),
    ({"sweep": {"sequencer.polcy": ["a"]}}, r"sweep\.sequencer\.polcy: .*'policy'"),
    ({"sweep": {"faults.0.start": ["1m"]}}, r"faults has 0 entries"),
    ({"sweep": {"runs": [1, 2]}}, "'runs' cannot be swept"),
    ({"sweep": {"a": [{"name": "x", "set": {"plan.lanes": 3}}]}}, "cannot be swept"),
    ({"sweep": {"venue.taker_fee": []}}, "at least one value"),
    ({"sweep": {"venue.taker_fee": [0.1, 0.001]}}, r"0\.1: must be at most"),
    ({"sweep": {"venue.taker_fee": [0.001, 0.001]}}, "0.001 stands twice"),
    ({"sweep": {"a": [{"name": "x"}, 3]}}, "mixes named variants"),
    ({"sweep": {"venue.taker_fee": 0.1}}, "must be a list"),
    ({"checks": "a < 1"}, "checks = 'a < 1': must be a list"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "problem"), BAD)
def test_a_wrong_config_is_refused_with_its_key_and_what_is_allowed(document, problem):
    with pytest.raises(ConfigError, match=problem):
        config.expand(document)


def test_problems_name_file_and_line(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("seed: 1\nvenue:\n  taker_fee: 2\n  maker_fe: 0\n")
    with pytest.raises(ConfigError) as caught:
        config.load(str(path))
    assert caught.value.problems[0].startswith("bad.yaml:3: venue.taker_fee = 2: ")
    assert caught.value.problems[1].startswith(
        "bad.yaml:4: venue.maker_fe = 0: unknown"
    )


def test_an_override_is_blamed_by_its_own_name(tmp_path):
    path = tmp_path / "fine.yaml"
    path.write_text("venue: {taker_fee: 0.0001}\n")
    assert config.load(str(path), ["seed=3", "plan.lanes=2"]).config.seed == 3
    with pytest.raises(
        ConfigError, match=r"^--set venue\.taker_fee=9: venue\.taker_fee"
    ):
        config.load(str(path), ["venue.taker_fee=9"])
    with pytest.raises(ConfigError, match="must be KEY=VALUE"):
        config.load(str(path), ["seed"])


def test_a_price_file_counts_by_its_content_and_stands_beside_its_config(tmp_path):
    (tmp_path / "a.csv").write_text("one")
    (tmp_path / "b.csv").write_text("one")
    (tmp_path / "c.csv").write_text("two")
    path = tmp_path / "replay.yaml"
    path.write_text("prices: {model: replay, file: a.csv}\n")
    first = config.load(str(path))
    same = config.load(str(path), [f"prices.file={tmp_path}/b.csv"])
    other = config.load(str(path), [f"prices.file={tmp_path}/c.csv"])
    assert first.hash == same.hash
    assert first.hash != other.hash


def test_an_unknown_scenario_names_the_nearest():
    with pytest.raises(ConfigError, match=r"'smkoe' \(did you mean 'smoke'\?\)"):
        config.load("smkoe")


def test_the_schema_describes_every_section():
    schema = config.json_schema()
    assert set(schema["properties"]) == set(config.Config.model_fields)
    text = str(schema)
    for key in ("taker_fee", "sequencer", "batch_blocks", "jump_mean", "description"):
        assert key in text
