"""The lab in Mesa: agents to select and record, guests who trade, models that go."""

import gc
import weakref
from dataclasses import replace

import jax.numpy as jnp
import mesa
import numpy as np
import pytest

from agents.guests import Guests, with_guests
from agents.lab.guest import Guest
from agents.lab.model import LabModel
from agents.lab.participants import (
    LeveragedTrader,
    Liquidator,
    MarketMaker,
    Participant,
    Searcher,
)
from market.types.orders import Kind, Status
from tests.worlds import SEED, small, watched

USD = 1_000_000


class Idle(Guest):
    def step(self):
        pass


class Scripted(Guest):
    """Does what the test says for each block, by a function of the agent."""

    def __init__(self, model, account):
        super().__init__(model, account)
        self.script = {}

    def step(self):
        self.script.get(self.model.snapshot.block, lambda agent: None)(self)


def model(*kinds, **changes):
    guests = [Guests(kind, collateral=50_000 * USD) for kind in kinds]
    return LabModel(*small(**changes), seed=SEED, guests=guests)


@pytest.fixture(scope="module")
def plain():
    """A world without guests after forty blocks; only to be looked at."""
    lab = model()
    lab.advance(40)
    return lab


@pytest.fixture
def scripted():
    """A world with a guest to be scripted, and an idle one."""
    lab = model(Scripted, Idle)
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


def test_a_guest_trades_with_its_own_money(scripted):
    lab, guest = scripted
    assert guest.collateral == 50_000 * USD
    guest.script = {5: lambda agent: agent.buy(0, 3)}
    lab.advance(5)
    assert guest.positions.tolist() == [0, 0, 0]
    lab.step()
    assert guest.positions.tolist() == [3, 0, 0]
    price = lab.snapshot.oracle[0] * 100
    assert guest.collateral == pytest.approx(
        50_000 * USD - 3 * price, abs=int(price) // 10
    )
    lab.check()


def test_a_guests_limit_order_rests_and_can_be_cancelled(scripted):
    lab, guest = scripted
    low = int(lab.snapshot.oracle[0] * 95 // 100)
    guest.script = {
        3: lambda agent: agent.buy(0, 7, low, slot=2),
        4: lambda agent: agent.cancel(0, 2),
    }
    lab.advance(4)
    assert guest.open_orders[0].tolist() == [7, 0]
    lab.step()
    assert guest.open_orders[0].tolist() == [0, 0]


def test_a_guest_deposits_and_withdraws(scripted):
    lab, guest = scripted
    guest.script = {
        1: lambda agent: agent.deposit(5 * USD),
        3: lambda agent: agent.withdraw(2 * USD),
    }
    gas = 10_000
    lab.advance(2)
    assert guest.collateral == 50_005 * USD - gas
    lab.advance(2)
    assert guest.collateral == 50_003 * USD - 2 * gas
    assert int(lab.world.exchange.withdrawn[guest.account]) == 2 * USD
    lab.advance(20)
    assert int(lab.world.exchange.withdrawn[guest.account]) == 0, "it is paid"
    lab.check()


def test_a_guests_order_takes_its_latency(scripted):
    lab, guest = scripted
    guest.latency_us = 2_500_000
    guest.script = {5: lambda agent: agent.buy(0, 3)}
    lab.advance(7)
    assert guest.positions[0] == 0
    lab.step()
    assert guest.positions[0] == 3


def test_what_a_guest_sends_is_sent_once(scripted):
    lab, guest = scripted
    guest.script = {5: lambda agent: agent.buy(0, 3)}
    lab.advance(12)
    assert guest.positions[0] == 3
    assert guest.outbox == []


def test_too_many_intents_are_refused_and_the_first_ones_stay(scripted):
    _, guest = scripted
    for _ in range(Guest.INTENTS):
        guest.buy(0, 1)
    with pytest.raises(ValueError, match="at most 8"):
        guest.sell(0, 1)
    assert len(guest.outbox) == Guest.INTENTS


@pytest.mark.parametrize(
    ("column", "message"),
    [("lot", "has no lot"), ("account", "choose account"), ("arrival_us", "choose")],
)
def test_a_guest_cannot_send_what_is_unknown_or_not_its_own(scripted, column, message):
    _, guest = scripted
    with pytest.raises(ValueError, match=message):
        guest.send(kind=Kind.ORDER, **{column: 1})


def test_a_guest_must_say_what_it_does(scripted):
    lab, _ = scripted
    with pytest.raises(NotImplementedError, match="Guest"):
        Guest(lab, 56).step()


def test_an_idle_guest_changes_nothing_for_anyone_else(scripted):
    lab, _ = scripted
    lab.advance(30)
    alone = watched(blocks=30).world
    for name in ("collateral", "position", "cost", "open_lots"):
        with_idle = getattr(lab.world.exchange, name)
        assert (with_idle[:56] == getattr(alone.exchange, name)).all(), name
    assert (lab.world.exchange.counters == alone.exchange.counters).all()
    assert lab.world.exchange.collateral[56:].tolist() == [50_000 * USD] * 2


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
