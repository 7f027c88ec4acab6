import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.engine import World
from experiments.fleet.plan import Lane, choose_width, group_points, make_plan, work_of


def worlds_of(specs):
    return [World(spec, {"x": np.int64(10 * i)}) for i, spec in enumerate(specs)]


@given(
    specs=st.lists(st.sampled_from("abc"), min_size=1, max_size=6),
    runs=st.integers(1, 9),
    lanes=st.none() | st.integers(1, 20),
    workers=st.integers(0, 4),
    data=st.data(),
)
@settings(deadline=None, max_examples=60)
def test_every_run_that_is_not_done_is_in_exactly_one_shard(
    specs, runs, lanes, workers, data
):
    everything = [(p, r) for p in range(len(specs)) for r in range(runs)]
    done = data.draw(st.sets(st.sampled_from(everything)))
    worlds = worlds_of(specs)
    plan = make_plan(worlds, runs, done, lanes=lanes, workers=workers)
    planned = [lane for shard in plan.shards for lane in shard.lanes]
    assert sorted(planned) == sorted(set(everything) - done)
    for shard in plan.shards:
        assert 1 <= len(shard.lanes) <= shard.width == plan.width
        assert len({specs[lane.point] for lane in shard.lanes}) == 1


def test_points_share_a_program_only_if_spec_and_shapes_are_equal():
    worlds = [
        World("a", np.zeros(2)),
        World("b", np.zeros(2)),
        World("a", np.ones(2)),
        World("a", np.zeros(3)),
    ]
    assert group_points(worlds) == [[0, 2], [1], [3]]


def test_a_shard_that_is_not_full_repeats_its_last_lane():
    worlds = worlds_of("aa")
    plan = make_plan(worlds, 3, {(0, 0)}, lanes=4)
    last = plan.shards[-1]
    assert last.lanes == (Lane(1, 2),)
    work = work_of(worlds, last, "engine", 1)
    assert work.params["x"].tolist() == [10, 10, 10, 10]


def test_a_shard_carries_the_parameters_of_its_lanes_points():
    worlds = worlds_of("aa")
    (shard,) = make_plan(worlds, 2, lanes=9).shards
    assert work_of(worlds, shard, "engine", 1).params["x"].tolist() == [0, 0, 10, 10]


@pytest.mark.parametrize(
    ("asked", "largest", "total", "workers", "on_gpu", "width"),
    [
        (None, 100, 100, 2, False, 16),
        (None, 100, 100, 0, True, 100),
        (None, 10, 10, 2, False, 5),
        (None, 3, 3, 8, False, 1),
        (4, 100, 100, 2, False, 4),
        (64, 10, 10, 2, False, 10),
    ],
)
def test_lanes_suit_the_machine_and_give_every_worker_a_share(
    asked, largest, total, workers, on_gpu, width
):
    assert choose_width(asked, largest, total, workers, on_gpu) == width
