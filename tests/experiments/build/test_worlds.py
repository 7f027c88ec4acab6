"""From config to world: every number finds its place, and none leaves its range."""

import jax
import numpy as np
import pytest

from experiments import config, manifests
from experiments.build import venue_numbers, worlds
from experiments.config.errors import ConfigError
from experiments.evidence import records
from experiments.fleet import plan
from market.numbers.units import PPM
from market.types.orders import Kind
from market.types.specs import Deleveraging
from market.venues import VENUES
from market.venues.dydx_v4.preset import dydx_v4
from rollup.faults import FAULTS
from rollup.sequencing import SCHEMES
from rollup.sequencing.classes import CLASSES
from rollup.stark.verify.files import Origin


def world_of(document):
    (world,) = worlds.build(config.expand(document).configs)
    return world


def test_decimals_become_the_integers_of_the_layers():
    world = world_of(
        {
            "venue": {"taker_fee": 0.0004, "insurance": 12.5},
            "populations": {
                "leveraged_traders": {"leverage": 7.5, "top_up_delay": "9s"},
                "searchers": {"latency": "4ms"},
            },
            "rollup": {"proving": "1m"},
            "oracle": {"delay": "1500ms"},
        }
    )
    params = world.params
    traders = params.groups["leveraged_traders"].numbers
    assert int(params.venue.taker_fee_ppm) == 400
    assert params.insurance.tolist() == [12_500_000, 0, 0, 0]
    assert int(traders.leverage_ppm) == 7_500_000
    assert int(traders.top_up_delay_us) == 9_000_000
    assert int(params.groups["searchers"].latency.latency_us) == 4_000
    assert int(params.chain.batches.proving_us) == 60_000_000
    assert int(params.oracle.delay_blocks) == 2


def test_limits_and_breakers_are_off_unless_asked_for():
    venue = world_of({}).params.venue
    names = ("max_open_orders", "max_market_orders", "circuit_breaker_move_ppm")
    assert not any(np.asarray(getattr(venue, name)).any() for name in names)
    breaker = {"move": 0.05, "window": "2m", "pause": "30s"}
    limits = {"max_open_orders": 3, "max_market_orders": 40}
    venue = world_of({"venue": {"circuit_breaker": breaker, **limits}}).params.venue
    assert int(venue.circuit_breaker_move_ppm) == 50_000
    assert int(venue.circuit_breaker_window_us) == 120_000_000
    assert int(venue.circuit_breaker_pause_us) == 30_000_000
    assert int(venue.max_open_orders) == 3
    assert venue.max_market_orders.tolist() == [40] * 3


def test_all_leaves_are_64_bit_integers():
    for leaf in jax.tree.leaves(world_of({}).params):
        assert leaf.dtype == np.int64


def test_a_fault_names_its_families_and_transactions_by_bits():
    fault = {
        "kind": "censorship",
        "start": "1m",
        "duration": "2m",
        "severity": 0.5,
        "targets": ["liquidators", "searchers"],
        "transactions": ["cancel"],
    }
    faults = world_of({"faults": [fault]}).params.faults
    bits = 0b1100  # the third and the fourth group
    assert faults.kind.tolist() == [list(FAULTS).index("censorship")]
    assert faults.targets.tolist() == [bits]
    assert faults.transactions.tolist() == [1 << Kind.CANCEL]
    assert faults.severity_ppm.tolist() == [PPM // 2]


def test_an_oracle_fault_names_its_markets_by_bits_and_all_where_none_is_named():
    stuck = {"kind": "oracle_stuck", "start": "1m", "duration": "2m"}
    lie = {**stuck, "kind": "oracle_manipulation", "bias": -0.25}
    named = {**lie, "markets": ["SOL", "BTC"], "severity": 0.6}
    faults = world_of({"faults": [stuck, named]}).params.faults
    assert faults.markets.tolist() == [0b111, 0b101]
    assert faults.bias_ppm.tolist() == [0, -250_000]
    assert faults.severity_ppm.tolist() == [PPM, 600_000]


def test_what_the_config_does_not_say_is_the_presets():
    plain, _ = presets_numbers()
    world = world_of({"venue": {"liquidation": {"max_portion": 0.5}}})
    for key, number in venue_numbers.NUMBERS.items():
        if "dydx_v4" not in number.presets:
            continue
        name = venue_numbers.parameter_of(key)
        got, preset = getattr(world.params.venue, name), getattr(plain, name)
        if name == "liquidation_max_portion_ppm":
            assert int(got) == 500_000 != int(preset)
        else:
            assert np.array_equal(got, preset), name


@pytest.mark.parametrize("preset", VENUES)
def test_every_preset_makes_a_world_of_its_own_rules(preset):
    world = world_of({"venue": {"preset": preset}})
    rules, _ = VENUES[preset](("BTC",), accounts=4)
    assert world.spec.venue.liquidation == rules.liquidation
    keepers = world.spec.groups[3]
    assert (keepers.name, keepers.liquidation) == ("liquidators", rules.liquidation)
    for leaf in jax.tree.leaves(world.params):
        assert leaf.dtype == np.int64


def test_the_vault_of_hyperliquid_is_the_last_account():
    world = world_of({"venue": {"preset": "hyperliquid"}})
    assert world.spec.groups[-1].name == "vault"
    assert world.spec.venue.vault == world.spec.venue.accounts - 1 == 1000
    assert not world.params.insurance.any()
    alone = {"populations": {"vault": {"count": 0}}}
    world = world_of({"venue": {"preset": "hyperliquid"}, **alone})
    assert (world.spec.venue.vault, world.spec.venue.accounts) == (-1, 1000)


@pytest.mark.parametrize("preset", VENUES)
def test_a_number_that_the_preset_does_not_have_is_refused_with_who_has_it(preset):
    for key, number in venue_numbers.NUMBERS.items():
        outer, _, inner = key.rpartition(".")
        section = {inner: "30s" if inner == "cooldown" else 0.05}
        if inner in ("bankruptcy_adjustment", "min_notional", "max_notional"):
            section = {inner: 2}
        venue = {"preset": preset, **({outer: section} if outer else section)}
        if preset in number.presets:
            world = world_of({"venue": venue})
            name = venue_numbers.parameter_of(key)
            assert np.size(getattr(world.params.venue, name)), key
            continue
        with pytest.raises(ConfigError, match="has no such number") as caught:
            world_of({"venue": venue})
        (problem,) = caught.value.problems
        assert problem.startswith(f"venue.{key}: preset {preset} has no")
        assert all(name in problem for name in number.presets)


@pytest.mark.parametrize("preset", VENUES)
def test_isolated_markets_are_known_to_the_venue_and_have_funds_of_their_own(preset):
    money = {} if preset == "hyperliquid" else {"isolated_insurance": 50}
    venue = {"preset": preset, "isolated": ["SOL"], "insurance": 0, **money}
    world = world_of({"venue": venue})
    assert world.spec.venue.isolated == (False, False, True)
    assert world.params.insurance.tolist() == [0, 0, 0, 50_000_000 if money else 0]


def test_funding_has_the_presets_samples():
    venue = world_of({"venue": {"preset": "hyperliquid"}}).spec.venue
    assert (venue.votes_per_sample, venue.samples_per_funding) == (5, 720)
    with pytest.raises(ConfigError, match="whole number of samples, of 1m each"):
        world_of({"venue": {"funding": {"interval": "90s"}}})


def presets_numbers():
    spec, params = dydx_v4(("BTC", "ETH", "SOL"), accounts=4)
    return params, spec


@pytest.mark.parametrize("rule", Deleveraging)
def test_the_rule_of_deleveraging_is_the_configs_or_the_presets(rule):
    spec = world_of({"venue": {"deleveraging": rule.name.lower()}}).spec.venue
    assert spec.deleveraging is rule
    assert world_of({}).spec.venue.deleveraging is Deleveraging.RANDOM_WALK


def test_stops_are_off_unless_the_config_asks_for_them():
    plain = world_of({}).params.venue
    assert (int(plain.oracle_max_age_us), int(plain.restart_grace_us)) == (0, 0)
    ruled = world_of(
        {
            "oracle": {"max_age": "30s"},
            "venue": {"liquidation": {"restart_grace": "1h"}},
        }
    ).params.venue
    assert int(ruled.oracle_max_age_us) == 30_000_000
    assert int(ruled.restart_grace_us) == 3_600_000_000


def test_points_with_and_without_faults_and_shocks_share_a_program():
    halt = {"kind": "sequencer_halt", "start": "1m", "duration": "1m"}
    shock = {"at": "1m", "size": -0.1}
    experiment = config.expand(
        {
            "sweep": {
                "faults": [[], [halt], [halt, halt]],
                "prices.shocks": [[], [shock]],
                "venue.taker_fee": [0.0001, 0.0002],
                "populations.leveraged_traders.leverage": [5, 10],
            }
        }
        | {"prices": {"model": "crash"}}
    )
    assert len(plan.group_points(worlds.build(experiment.configs))) == 1


def test_schemes_are_programs_of_their_own():
    experiment = config.expand({"sweep": {"sequencer.policy": list(SCHEMES)}})
    assert len(plan.group_points(worlds.build(experiment.configs))) == len(SCHEMES)


def test_a_family_without_members_is_left_out():
    world = world_of({"populations": {"searchers": {"count": 0}}})
    names = [group.name for group in world.spec.groups]
    assert names == ["market_makers", "leveraged_traders", "liquidators"]
    assert [group.first for group in world.spec.groups] == [0, 48, 948]
    assert world.spec.venue.accounts == 968


def test_funding_is_first_paid_when_the_config_says():
    venue = world_of({"venue": {"funding": {"first": "10m"}}}).spec.venue
    interval = venue.votes_per_sample * venue.samples_per_funding
    assert interval == 3600
    assert (600 + venue.funding_offset_blocks) % interval == 0


def test_the_largest_order_stays_in_the_exact_range():
    world = world_of({"venue": {"max_order": 1e8}})
    multipliers = np.array(world.spec.venue.multipliers)
    ticks = np.append(
        world.params.prices.start_ticks, world.params.prices.driven.start_ticks
    )
    notional = np.asarray(world.params.venue.max_order_lots) * ticks * multipliers
    assert (notional <= 100_000_000 * 10**6).all()
    assert (notional > 99_000_000 * 10**6).all()


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            {"populations": {"leveraged_traders": {"collateral": 1e7}}},
            r"leveraged_traders: collateral \* max_leverage reaches [\d,]+ USD .*most",
        ),
        ({"prices": {"model": "crash", "start": {"XRP": 1}}}, "unknown market 'XRP'"),
        (
            {"prices": {"model": "crash", "followers": {"BTC": {"beta": 1}}}},
            "the first market follows none",
        ),
    ],
)
def test_what_would_leave_the_range_is_refused(document, problem):
    with pytest.raises(ConfigError, match=problem):
        world_of(document)


FAULT_FROM_OUTSIDE = """
from dataclasses import replace
import jax.numpy as jnp
from shakeout import Fault

def effect(conditions, strikes):
    slower = jnp.minimum(strikes.since_us // 1_000_000, strikes.worst_ppm())
    return conditions.slowed("l1", slower)

CREEP = Fault("creep", "settling slows down more and more", effect, label="L1 creep")
"""


def test_a_fault_from_outside_shares_the_program_of_ours_and_is_told_by_its_name(lab):
    name = f"{lab.write(FAULT_FROM_OUTSIDE)}:CREEP"
    when = {"start": "1m", "duration": "2m"}
    experiment = config.expand(
        {
            "faults": [{"kind": "da_outage", **when}],
            "sweep": {"faults.0.kind": ["da_outage", name, "oracle_stuck"]},
        }
    )
    built = worlds.build(experiment.configs)
    assert len(plan.group_points(built)) == 1
    kinds = [int(world.params.faults.kind[0]) for world in built]
    assert kinds == [2, len(FAULTS), 5]
    (window,) = worlds.fault_windows(built[1], 7, 1)
    assert window["kind"] == "creep"
    told = [manifests.fault_windows(each)[0] for each in experiment.configs]
    assert [fault["title"] for fault in told] == [
        "DA outage",
        "L1 creep",
        "oracle stuck",
    ]


def test_a_fault_from_outside_takes_the_keys_that_it_reads(lab):
    name = f"{lab.write(FAULT_FROM_OUTSIDE)}:CREEP"
    fault = {"kind": name, "start": "1m", "duration": "2m", "markets": ["BTC"]}
    with pytest.raises(ConfigError, match="has no markets; it reads severity"):
        config.expand({"faults": [fault]})


@pytest.mark.parametrize("kind", FAULTS)
def test_a_kind_of_fault_takes_the_keys_that_it_reads_and_no_other(kind):
    values = {
        "severity": 0.5,
        "targets": ["searchers"],
        "transactions": ["cancel"],
        "bias": 0.1,
        "markets": ["ETH"],
    }
    plain = {"kind": kind, "start": "1m", "duration": "2m"}
    reads, needs = FAULTS[kind].reads, FAULTS[kind].needs
    least = {keys[0]: values[keys[0]] for keys in needs}
    world_of({"faults": [{**plain, **least}]})
    for key, value in values.items():
        fault = {**plain, **least, key: value}
        if key in reads:
            world_of({"faults": [fault]})
        else:
            with pytest.raises(ConfigError, match=f"{kind} has no {key}"):
                world_of({"faults": [fault]})
    if needs:
        with pytest.raises(ConfigError, match=f"{kind} needs {needs[0][0]}"):
            world_of({"faults": [plain]})


def test_the_delays_of_a_composition_are_swept_in_one_program():
    composed = {"hold": {"take": "5ms"}, "every": "50ms", "classes": ["cancel"]}
    document = {"sequencer": {"policy": "composed", "composed": composed}}
    swept = {"sweep": {"sequencer.composed.hold.take": ["0s", "1ms", "20ms"]}}
    built = worlds.build(config.expand({**document, **swept}).configs)
    assert len(plan.group_points(built)) == 1
    take = CLASSES.index("take")
    params = [world.params.chain.sequencer for world in built]
    assert [int(each.hold_us[take]) for each in params] == [0, 1_000, 20_000]
    assert [int(each.every_us) for each in params] == [50_000] * 3
    swept = {"sweep": {"sequencer.composed.hold.take": ["1ms", ["1ms", "3ms"]]}}
    built = worlds.build(config.expand({**document, **swept}).configs)
    assert len(plan.group_points(built)) == 2, "a random delay is another program"
    assert int(built[1].params.chain.sequencer.hold_most_us[take]) == 3_000


def test_random_faults_are_told_as_they_strike_run_by_run():
    fault = {"kind": "da_outage", "start": "1m", "duration": "2m", "jitter": "5m"}
    world = world_of({"faults": [{**fault, "chance": 0.5}]})
    windows = worlds.fault_windows(world, 7, 64)
    assert 16 < len(windows) < 48
    assert len({window["start_us"] for window in windows}) > 10
    assert all(w["end_us"] - w["start_us"] == 120_000_000 for w in windows)
    assert windows == worlds.fault_windows(world, 7, 64)


def test_a_record_survives_its_file(tmp_path):
    from agents.opening import set_up  # a record has the windows of a real world
    from market.types.orders import Receipt, no_transactions
    from rollup.replay import Record

    world = world_of(
        {"faults": [{"kind": "da_outage", "start": "1m", "duration": "1m"}]}
    )
    setting, state = set_up(np.int64(1), np.int64(2), world.params, spec=world.spec)
    zeros = np.zeros((3, 4), np.int64)
    record = Record(
        start=setting.start,
        insurance=state.exchange.insurance,
        ticks=state.exchange.oracle,
        windows=setting.windows,
        txs=no_transactions((3, 4)),
        mode=np.zeros(3, np.int64),
        charge=zeros,
        charge_after=zeros[:, :0],
        scheme=np.zeros(0, np.int64),
        receipts=Receipt(status=zeros, filled_lots=zeros, filled_quote=zeros + 5),
        reports=np.arange(6).reshape(3, 2),
        seed_word=np.arange(3),
    )
    path, origin = records.record_path(tmp_path, 1, 2), Origin("cd" * 32, 1, 2)
    records.save_record(path, record, "ab" * 32, origin)
    loaded, root = records.load_record(path, origin)
    assert root == "ab" * 32
    assert jax.tree.structure(loaded) == jax.tree.structure(record)
    for kept, given in zip(
        jax.tree.leaves(loaded), jax.tree.leaves(record), strict=True
    ):
        assert kept.dtype == np.asarray(given).dtype
        assert np.array_equal(kept, given)
    for other in (Origin("ef" * 32, 1, 2), origin._replace(run=1)):
        with pytest.raises(ConfigError, match="records run 2 of point 1"):
            records.load_record(path, other)


def test_a_file_that_is_no_record_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, start=np.zeros(3))
    with pytest.raises(ConfigError, match="is no record"):
        records.load_record(path, Origin())
