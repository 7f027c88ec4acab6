"""The lab in Mesa: agents to select and record, guests who trade, models that go."""

import gc
import weakref
from dataclasses import replace

import jax.numpy as jnp
import mesa
import numpy as np
import pytest

from agents.guests import Guests, with_guests
from agents.lab.model import LabModel, RunOverError
from agents.lab.participants import (
    LeveragedTrader,
    Liquidator,
    MarketMaker,
    Participant,
    Searcher,
)
from agents.measure.soundness import Fault
from market.types.orders import Status
from tests.agents.lab import guests
from tests.agents.lab.guests import Idle, Scripted
from tests.worlds import BLOCKS, SEED, Watched, small


def model():
    """The small world without guests."""
    return LabModel(*small(), seed=SEED)


@pytest.fixture(scope="module")
def plain():
    """A world without guests after forty blocks; only to be looked at."""
    lab = model()
    lab.advance(40)
    return lab


@pytest.fixture
def scripted():
    """A world with a guest to be scripted, and an idle one."""
    lab = guests.model()
    (guest,) = lab.agents.select(agent_type=Scripted)
    return lab, guest


def test_every_participant_is_a_mesa_agent_of_its_family(plain):
    sizes = {kind: len(agents) for kind, agents in plain.agents_by_type.items()}
    assert sizes == {MarketMaker: 8, LeveragedTrader: 40, Searcher: 4, Liquidator: 4}
    assert [agent.account for agent in plain.agents] == list(range(56))
    assert {agent.unique_id for agent in plain.agents} == set(range(1, 57))
    assert len(plain.participants("searchers")) == 4


def test_an_unknown_family_is_an_error(plain):
    with pytest.raises(KeyError, match="market_maker"):
        plain.participants("market_maker")


def test_agents_read_their_own_row(plain):
    state = plain.world.exchange
    for agent in plain.agents.select(lambda agent: agent.account % 9 == 0):
        assert agent.collateral == int(state.collateral[agent.account])
        assert agent.positions.tolist() == state.position[agent.account].tolist()
        assert agent.open_orders.tolist() == state.open_lots[agent.account].tolist()
        assert agent.profit == agent.equity - int(plain.snapshot.start[agent.account])
    danger = [agent for agent in plain.agents if agent.is_in_danger]
    assert all(0 < agent.maintenance > agent.equity for agent in danger)


def test_agent_sets_select_and_aggregate(plain):
    makers = plain.agents_by_type[MarketMaker]
    total = makers.agg("collateral", sum)
    assert total == int(plain.world.exchange.collateral[:8].sum())
    quoting = makers.select(lambda maker: maker.open_orders.sum() > 0)
    assert 0 < len(quoting) <= 8
    assert set(makers.get("family")) == {"market_makers"}


def test_the_snapshot_is_made_once_a_block(plain):
    assert plain.snapshot is plain.snapshot
    assert plain.snapshot.block == 40 == plain.steps


def test_a_data_collector_records_model_and_agents():
    lab = model()
    collector = mesa.DataCollector(
        model_reporters={"height": lambda m: m.snapshot.height},
        agenttype_reporters={Liquidator: {"equity": "equity"}},
    )
    for _ in range(3):
        lab.step()
        collector.collect(lab)
    frame = collector.get_model_vars_dataframe()
    assert frame["height"].tolist() == [1, 2, 3]
    equities = collector.get_agenttype_vars_dataframe(Liquidator)
    assert len(equities) == 12
    assert equities.index.get_level_values("Step").unique().tolist() == [1, 2, 3]
    assert (equities["equity"] > 0).all()


def test_advancing_counts_its_steps():
    lab = model()
    lab.advance(3)
    lab.step()
    assert lab.steps == 4 == lab.snapshot.block


def test_a_participant_without_an_account_is_refused(scripted):
    lab, _ = scripted
    with pytest.raises(TypeError, match="every account of this world has its agent"):
        Idle(lab, 56)
    assert len(lab.agents) == 58


def test_a_run_stops_at_its_end_and_says_so():
    lab = model()
    lab.advance(60)
    with pytest.raises(RunOverError, match=r"100 more .* 20 of its 80 left"):
        lab.advance(100)
    assert lab.steps == 60 and lab.running
    lab.run_model()
    assert lab.steps == lab.snapshot.block == 80 and not lab.running
    root, price = lab.state_root, lab.snapshot.price.tolist()
    for more in (lab.step, lambda: lab.advance(100)):
        with pytest.raises(RunOverError, match="0 of its 80 left"):
            more()
    assert (lab.steps, lab.state_root, lab.running) == (80, root, False)
    assert lab.snapshot.price.tolist() == price
    assert int(lab.world.chain.batches.sealed) == 8
    lab.advance(0)
    lab.check()


def test_a_block_after_the_last_makes_the_compiled_run_unsound():
    run = Watched(*small())
    run.advance(BLOCKS)
    assert int(run.world.measures.status) == 0
    world = run.advance(3)
    assert int(world.measures.status) == Fault.OVERRUN
    assert int(world.measures.first_fault) == BLOCKS
    # Nothing is written beyond the room of the run.
    assert int(world.chain.batches.sealed) <= world.chain.batches.txs.shape[0]


def test_what_a_family_decides_cannot_be_set_on_its_agents(plain):
    maker = plain.agents_by_type[MarketMaker][3]
    for name in ("half_spread", "half_spread_ppm", "collateral", "account", "latency"):
        with pytest.raises(AttributeError, match=f"MarketMaker.{name} "):
            setattr(maker, name, 5)
    with pytest.raises(
        AttributeError, match=r"populations\.market_makers\.half_spread"
    ):
        maker.half_spread = 5
    maker.pos = (1, 2)
    assert maker.pos == (1, 2), "what Mesa's spaces set"


def test_a_member_of_a_family_cannot_be_removed(plain):
    maker = plain.agents_by_type[MarketMaker][0]
    for remove in (maker.remove, plain.remove_all_agents):
        with pytest.raises(TypeError, match="MarketMaker of account 0 cannot be rem"):
            remove()
    assert len(plain.agents) == 56


def test_no_guests_is_the_same_world():
    world = small()
    assert with_guests(*world, ()) == world


def test_guests_come_after_everyone_else_with_their_money():
    spec, params = small()
    groups = [Guests(Idle, 3, collateral=7), Guests(Scripted, name="mine")]
    grown, numbers = with_guests(spec, params, groups)
    assert grown.venue.accounts == spec.venue.accounts + 4
    assert grown.groups[:-2] == spec.groups
    assert [group.name for group in grown.guests] == ["Idle", "mine"]
    assert [group.rows for group in grown.guests] == [slice(56, 59), slice(59, 60)]
    assert int(numbers.groups["Idle"].endowment.collateral) == 7


def test_two_groups_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two groups are called searchers"):
        with_guests(*small(), [Guests(Idle, name="searchers")])


def test_a_world_with_agents_in_python_needs_exactly_these():
    spec, params = with_guests(*small(), [Guests(Idle, name="mine")])
    with pytest.raises(ValueError, match="nobody plays mine"):
        LabModel(spec, params, seed=SEED)


def test_the_numbers_of_guests_are_set_on_each():
    guests = [Guests(Idle, 2, numbers={"latency_us": 5, "threshold": 0.5})]
    lab = LabModel(*small(), seed=SEED, guests=guests)
    members = lab.participants("Idle")
    assert members.get("latency_us") == [5, 5]
    assert members.get("threshold") == [0.5, 0.5]
    assert list(members) == list(lab.participants("guests"))


def test_the_result_of_a_model_has_the_metrics_and_the_root(plain):
    result = plain.result()
    words = np.asarray(result.state_root).astype("<u4")
    assert words.tobytes().hex() == plain.state_root
    assert int(result.metrics["trades"]) == int(plain.world.measures.trades) > 0


def test_an_unsound_world_is_refused_with_its_reason():
    lab = model()
    lab.check()
    broken = replace(lab.world.measures, status=jnp.int64(1), first_fault=jnp.int64(4))
    lab._world = replace(lab.world, measures=broken)
    with pytest.raises(ArithmeticError, match="block 4: money"):
        lab.check()


def test_a_model_that_nobody_holds_is_freed_with_its_arrays():
    lab = model()
    lab.advance(1)
    _ = lab.snapshot
    gone, arrays = weakref.ref(lab), weakref.ref(lab.world)
    del lab
    gc.collect()
    assert gone() is None and arrays() is None


def test_participants_do_not_decide_by_themselves(plain):
    assert Participant.step is mesa.Agent.step
    assert plain.world.exchange.counters[Status.RESTING] > 0
