"""A world of several groups of a family, with people and a metric from outside.

One tiny world, whatever way it is run: the same roots, and results by group.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import run as runs
from agents.lab.model import LabModel
from experiments import config
from experiments.build import worlds
from experiments.config.errors import ConfigError
from market.native.jit import jit_step
from rollup.replay import replay
from tests.worlds import lanes, root_text

SEED, BLOCKS = 11, 24
TINY = {
    "world": {"blocks": BLOCKS, "series_every": 8},
    "venue": {"markets": ["BTC"], "book_capacity": 32},
    "populations": {
        "market_makers": {"count": 3},
        "leveraged_traders": {"count": 6, "activity": 0.5},
        "searchers": {"count": 2},
        "liquidators": {"count": 1},
        "slow_makers": {"family": "market_makers", "count": 2, "latency": "2s"},
        "buyers": {"family": "tests.parity.strangers:BUYERS", "order": 500},
    },
    "metrics": ["tests.parity.strangers:BUSY_BLOCKS"],
    "sequencer": {"queue": 64, "block_txs": 32},
    "rollup": {"batch_blocks": 8},
}
STEADY = {"agent": "tests.parity.strangers:Steady", "count": 2, "lots": 3}


def world_of(**groups):
    people = {**TINY["populations"], **groups}
    (world,) = worlds.build(config.expand({**TINY, "populations": people}).configs)
    return world


@cache
def abreast():
    """Runs 0 and 1 of the world side by side."""
    world = world_of()
    params = lanes([world.params, world.params])
    simulate = jit_step(worlds.simulate, static_argnames="spec")
    output = simulate(jnp.arange(2), jnp.int64(SEED), params, spec=world.spec)
    return jax.device_get(output)


def test_the_run_is_sound_and_every_group_earns_or_loses():
    output = abreast()
    assert not output.status.any()
    metrics = output.metrics
    for group in TINY["populations"]:
        if group != "liquidators":
            assert metrics[f"pnl_{group}"].all(), group
    by_group = metrics["pnl_market_makers"] + metrics["pnl_slow_makers"]
    assert (metrics["maker_pnl"] == by_group).all()
    assert (metrics["buyer_pnl"] == metrics["pnl_buyers"]).all()


def test_a_metric_from_outside_watches_every_block():
    busy = abreast().metrics["busy_blocks"]
    assert ((busy > 3) & (busy <= BLOCKS)).all()
    known = worlds.metrics([world_of()])
    assert {"busy_blocks", "pnl_slow_makers", "buyer_pnl"} <= set(known)
    assert set(abreast().metrics) == set(known)


def test_stepping_in_mesa_reaches_the_root_of_the_lane():
    world = world_of()
    lab = LabModel(world.spec, world.params, seed=SEED, run=1)
    lab.step()
    lab.advance(BLOCKS - 1)
    assert lab.state_root == root_text(abreast().state_root[1])
    assert len(lab.participants("slow_makers")) == 2
    assert len(lab.participants("market_makers")) == 3, "the group of that name"
    assert {type(agent).__name__ for agent in lab.participants("buyers")} == {"Buyer"}


@pytest.mark.slow
def test_a_replay_of_the_record_reaches_the_root():
    world = world_of()
    spec, params = world.spec, world.params
    record, root = runs.record(jnp.int64(SEED), jnp.int64(0), params, spec=spec)
    assert root_text(root) == root_text(abreast().state_root[0])
    again, differing = replay(
        record,
        params.venue,
        params.chain,
        venue=spec.venue,
        rollup=spec.chain,
        block_us=spec.block_us,
    )
    assert (root_text(again), int(differing)) == (root_text(root), 0)


@pytest.fixture(scope="module")
def with_guests():
    world = world_of(steady=STEADY)
    return world, worlds.simulate_guests([0, 1, 0], SEED, [world] * 3)


def test_agents_in_plain_python_run_from_a_config(with_guests):
    world, output = with_guests
    assert [group.name for group in world.spec.guests] == ["steady"]
    assert not output.status.any()
    roots = [root_text(root) for root in output.state_root]
    assert roots[0] == roots[2] != roots[1]
    profit = output.metrics["pnl_steady"]
    assert (profit != 0).all() and (profit == output.metrics["guest_pnl"]).all()
    assert output.series["oracle"].shape == (3, 3, 1)


def test_their_numbers_come_from_the_config(with_guests):
    world, _ = with_guests
    lab = LabModel(world.spec, world.params, seed=SEED, guests=world.guests)
    members = lab.participants("steady")
    assert members.get("lots") == [3, 3] and members.get("until") == [5, 5]
    lab.advance(8)
    positions = np.array(members.get("positions"))
    assert (positions[:, 0] > 0).all() and (positions[:, 0] <= 15).all()


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        ({**STEADY, "lots": "many"}, "populations.steady.lots = 'many'"),
        ({**STEADY, "lot": 3}, "unknown key 'lot' .did you mean 'lots'"),
        ({"agent": STEADY["agent"]}, "populations.steady.lots: is missing"),
        ({**STEADY, "family": "searchers"}, "has a family and an agent"),
    ],
)
def test_wrong_numbers_of_agents_are_refused_by_name(group, problem):
    with pytest.raises(ConfigError, match=problem):
        world_of(steady=group)


def test_their_runs_keep_no_record():
    with pytest.raises(ConfigError, match=r"record\.runs: .* plain Python"):
        config.expand(
            {"populations": {"steady": STEADY}, "record": {"runs": [0]}, "runs": 2}
        )
