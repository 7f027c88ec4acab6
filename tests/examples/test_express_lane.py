"""The express lane of the examples: its rule, its numbers, and a world under it."""

import pickle
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import config
from experiments.build.worlds import build
from experiments.config.errors import ConfigError
from experiments.config.plugins import SCHEME, look_in, resolve
from experiments.fleet.plan import group_points
from market.numbers.units import as_int
from market.types.orders import Kind
from rollup.sequencing.contract import Clock
from tests.rollup.sequencing.queues import (
    ACCOUNTS,
    BLOCK,
    BLOCK_US,
    GAS,
    lot,
    order,
    places,
    waiting_of,
)

NAME = "express_lane:EXPRESS_LANE"
HELD_US, ROUND_US = 200_000, 2 * BLOCK_US


@pytest.fixture(scope="module")
def lane():
    look_in(Path(__file__).parents[2] / "examples")
    return resolve(NAME, SCHEME)


def numbers(lane, **changes):
    given = {
        "gas_fee": GAS,
        "min_fee_bid": 0,
        "lane_delay_us": HELD_US,
        "round_us": ROUND_US,
        **changes,
    }
    return lane.params(**{name: as_int(number) for name, number in given.items()})


class Twin:
    """The rule in plain Python."""

    def __init__(self):
        self.round, self.holder, self.bidder, self.bid = 0, -1, -1, 0

    def block(self, queue, block, room):
        """Places in the block, and what each account pays."""
        charge = [0] * ACCOUNTS
        if block * BLOCK_US // ROUND_US > self.round:
            self.round = block * BLOCK_US // ROUND_US
            self.holder = self.bidder
            if self.holder >= 0:
                charge[self.holder] += self.bid
            self.bidder, self.bid = -1, 0
        end, ranked = (block + 1) * BLOCK_US, []
        for place, row in enumerate(queue):
            is_held = self.holder >= 0 and row["account"] != self.holder
            release = row["arrival_us"] + HELD_US * is_held
            if row["kind"] != Kind.NONE and not row["censored"] and release < end:
                ranked.append((release, lot(row), place))
        chosen = [place for *_, place in sorted(ranked)][: min(room, BLOCK)]
        for place in chosen:
            charge[queue[place]["account"]] += GAS
            if queue[place]["fee_bid"] > self.bid:
                self.bid = queue[place]["fee_bid"]
                self.bidder = queue[place]["account"]
        return chosen, charge


def rows(block):
    return st.fixed_dictionaries(
        {
            "kind": st.sampled_from([Kind.NONE, Kind.ORDER, Kind.CANCEL]),
            "account": st.integers(0, ACCOUNTS - 1),
            "arrival_us": st.integers(-HELD_US, BLOCK_US - 1).map(
                lambda late: max(block * BLOCK_US + late, 0)
            ),
            "fee_bid": st.integers(0, 9),
            "censored": st.sampled_from([False, False, True]),
        }
    )


BLOCKS = 6
histories = st.tuples(*(st.lists(rows(block), max_size=8) for block in range(BLOCKS)))


@given(history=histories, room=st.integers(0, BLOCK))
@settings(max_examples=60, deadline=None)
def test_the_lane_is_what_its_rule_says_round_after_round(lane, history, room):
    twin, params = Twin(), numbers(lane)
    state = lane.init(params, spec=None)
    for block, queue in enumerate(history):
        number = jnp.int64(block)
        clock = Clock(number, number, number * BLOCK_US, BLOCK_US)
        waiting = waiting_of(queue)
        state, ordering = order(
            lane, waiting, params, room=room, clock=clock, state=state
        )
        chosen, charge = twin.block(queue, block, room)
        assert places(ordering) == chosen
        assert ordering.charge.tolist() == charge
        left = [twin.round, twin.holder, twin.bidder, twin.bid]
        assert [int(number) for number in state] == left


def test_others_are_held_back_and_the_holder_is_not(lane):
    params = numbers(lane)
    state = lane.init(params, spec=None)._replace(holder=jnp.int64(2))
    there = {"kind": Kind.ORDER, "censored": False}
    queue = [
        {**there, "account": 1, "arrival_us": 10_000},
        {**there, "account": 2, "arrival_us": 150_000},
        {**there, "account": 3, "arrival_us": BLOCK_US - HELD_US},
    ]
    clock = Clock(jnp.int64(0), jnp.int64(0), jnp.int64(0), BLOCK_US)
    ordering = order(lane, waiting_of(queue), params, clock=clock, state=state)[1]
    assert places(ordering) == [1, 0]


def world(**sequencer):
    document = {"sequencer": {"policy": NAME, **sequencer}}
    return build(config.expand(document).configs)[0]


def test_its_numbers_come_from_the_config_and_are_checked_like_ours(lane):
    given = world(gas_fee=0.5, numbers={"lane_delay": "350ms"}).params.chain.sequencer
    assert isinstance(given, lane.params)
    assert int(given.lane_delay_us) == 350_000
    assert int(given.round_us) == 60_000_000
    assert int(given.gas_fee) == 500_000
    for numbers, problem in [
        ({"lane_dealy": "1s"}, r"numbers\.lane_dealy.*did you mean 'lane_delay'"),
        ({"lane_delay": "11s"}, r"numbers\.lane_delay = '11s': must be at most 10s"),
        ({"gas_fee": 1}, r"numbers\.gas_fee.*unknown key"),
    ]:
        with pytest.raises(ConfigError, match=problem):
            world(numbers=numbers)


def test_a_sweep_over_its_numbers_is_one_program(lane):
    document = {
        "sequencer": {"policy": NAME},
        "sweep": {"sequencer.numbers.lane_delay": ["0s", "50ms", "200ms"]},
    }
    worlds = build(config.expand(document).configs)
    assert len(group_points(worlds)) == 1
    delays = [int(each.params.chain.sequencer.lane_delay_us) for each in worlds]
    assert delays == [0, 50_000, 200_000]


def test_its_document_reads_back_to_the_same_world(lane):
    first = config.expand(
        {"sequencer": {"policy": NAME, "numbers": {"lane_delay": "70ms"}}}
    )
    again = config.expand(first.as_document())
    assert again.hash == first.hash
    assert again.config.sequencer.numbers == first.config.sequencer.numbers
    spec = build(first.configs)[0].spec
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.slow
def test_a_world_under_the_lane_is_sound_and_replays_to_its_root(lane):
    from agents.run import record
    from rollup.replay import replay
    from tests.worlds import Watched, root_text, small

    rounds = {"round": "10s", "lane_delay": "200ms"}
    spec, params = small(NAME, sequencer={"policy": NAME, "numbers": rounds})
    run = Watched(spec, params)
    world = run.advance(spec.blocks)
    assert int(world.measures.status) == 0
    assert int(world.chain.scheme.holder) >= 0
    kept, root = record(jnp.int64(7), jnp.int64(0), params, spec=spec)
    assert root_text(root) == run.root
    assert np.asarray(kept.scheme).tolist() == [int(n) for n in world.chain.scheme]
    reached, differing = replay(
        kept,
        params.venue,
        params.chain,
        venue=spec.venue,
        rollup=spec.chain,
        block_us=spec.block_us,
    )
    assert root_text(reached) == run.root
    assert int(differing) == 0
