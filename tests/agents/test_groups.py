"""Groups of one family side by side: seats, streams, and what is whose."""

import jax
import numpy as np
import pytest

from agents import opening
from agents.families import FAMILIES
from agents.family import Family, GroupSpec
from experiments import config
from experiments.build import worlds
from experiments.build.populations import target_bits
from market.numbers.randomness import Stream, block_key, draw_words, run_key, words_of

SNIPERS = {"family": "searchers", "count": 3, "edge": 0.004, "latency": "1ms"}
FEW = {
    "market_makers": {"count": 2},
    "leveraged_traders": {"count": 4},
    "searchers": {"count": 2},
    "liquidators": {"count": 2},
}


def world_of(**groups):
    (world,) = worlds.build(config.expand({"populations": {**FEW, **groups}}).configs)
    return world


def test_further_groups_of_a_family_come_after_all_first_ones():
    spec = world_of(snipers=SNIPERS, slow={**SNIPERS, "latency": "1s"}).spec
    assert [group.name for group in spec.groups] == [*FEW, "snipers", "slow"]
    assert [group.first for group in spec.groups] == [0, 2, 6, 8, 10, 13]
    assert [group.nth for group in spec.groups] == [0, 0, 0, 0, 1, 2]
    assert [group.number for group in spec.groups] == list(range(6))


def test_the_order_of_families_in_a_config_means_nothing():
    shuffled = dict(reversed(FEW.items()))
    one, other = (
        config.expand({"populations": {**groups, "snipers": SNIPERS}})
        for groups in (FEW, shuffled)
    )
    assert one.hash == other.hash


def test_the_order_of_a_familys_groups_means_something():
    slow = {**SNIPERS, "latency": "1s"}
    one = config.expand({"populations": {"fast": SNIPERS, "slow": slow}})
    other = config.expand({"populations": {"slow": slow, "fast": SNIPERS}})
    assert one.hash != other.hash


def test_each_group_has_numbers_of_its_own():
    groups = world_of(snipers=SNIPERS).params.groups
    assert int(groups["snipers"].numbers.edge_ppm) == 4_000
    assert int(groups["searchers"].numbers.edge_ppm) == 1_200
    assert int(groups["snipers"].latency.latency_us) == 1_000
    assert int(groups["searchers"].latency.latency_us) == 3_000


def test_a_family_that_a_group_names_has_no_usual_group_beside_it():
    named = config.Config.model_validate({"populations": {"snipers": SNIPERS}})
    assert "searchers" not in named.populations
    assert named.populations["market_makers"].count == 48


def drawn(world):
    """First collateral by account, and the memories of the groups."""
    whole = block_key(run_key(7, 3), 0)
    money = opening._endow(whole, world.params, world.spec)
    return money, opening._memories(whole, world.params, money, world.spec)


def test_a_group_more_moves_nobody_elses_draws():
    alone, beside = drawn(world_of()), drawn(world_of(snipers=SNIPERS))
    assert (beside[0][: alone[0].shape[0]] == alone[0]).all()
    for name, memory in alone[1].items():
        jax.tree.map(np.testing.assert_array_equal, memory, beside[1][name])


def test_groups_of_a_family_draw_apart():
    same = {"family": "searchers", "count": 2}
    _, memories = drawn(world_of(others=same))
    first, second = (memories[name].edge_ppm for name in ("searchers", "others"))
    assert (first != second).all()


def test_the_first_group_draws_from_the_familys_registered_stream():
    group = GroupSpec(FAMILIES["searchers"], "searchers", 4, 0, 0)
    key = block_key(run_key(1, 2), 3)
    words = words_of(group.key(key), (4, 2))
    assert (words == draw_words(key, Stream.SEARCHERS, (4, 2))).all()


def stranger(name, **more):
    code = FAMILIES["searchers"]
    return Family(name, name, code.params, code.init, code.act, 2, **more)


def test_a_family_from_outside_draws_from_a_stream_of_its_name():
    one, other = stranger("basis_traders"), stranger("arbitrageurs")
    assert one.words == stranger("basis_traders").words != other.words
    for family in (one, other):
        assert Stream.OUTSIDE <= family.words < 2 * Stream.OUTSIDE
    assert stranger("mine", stream=Stream.MAKERS).words == Stream.MAKERS


@pytest.mark.parametrize(
    ("targets", "bits"),
    [
        (["searchers"], 0b10100),
        (["snipers"], 0b10000),
        (["snipers", "market_makers"], 0b10001),
        ([], 0),
    ],
)
def test_a_fault_targets_groups_or_all_groups_of_a_family(targets, bits):
    assert target_bits(world_of(snipers=SNIPERS).spec.groups, targets) == bits


def test_agents_in_plain_python_have_no_stream():
    group = GroupSpec(None, "mine", 1, 0, 0)
    with pytest.raises(TypeError, match="mine: agents in plain Python"):
        group.key(run_key(1, 2))
