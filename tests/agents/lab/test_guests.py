"""Guests: agents in plain Python who trade, and what they are told when they cannot."""

import jax.numpy as jnp
import numpy as np
import pytest

from agents.guests import Guests
from agents.lab.guest import Guest
from market.types.orders import Kind, Status
from tests.agents.lab.guests import USD, Idle, Scripted, model
from tests.worlds import watched


@pytest.fixture
def scripted():
    """A world with a guest to be scripted, and an idle one."""
    lab = model()
    (guest,) = lab.agents.select(agent_type=Scripted)
    return lab, guest


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


class Silent(Guest):
    """Says nothing of what it does."""


def test_a_guest_must_say_what_it_does():
    lab = model(Silent)
    with pytest.raises(NotImplementedError, match="Silent"):
        lab.step()


def test_what_an_account_has_cannot_be_set_on_a_guest(scripted):
    _, guest = scripted
    for name in ("collateral", "positions", "equity", "account", "group"):
        with pytest.raises(AttributeError, match=f"Scripted.{name} is a view"):
            setattr(guest, name, 5)
    guest.mood = "bright"
    assert guest.mood == "bright"


def test_a_guest_that_is_removed_sends_nothing_any_more(scripted):
    lab, guest = scripted
    guest.script = {n: lambda agent: agent.buy(0, 3) for n in (2, 5)}
    lab.advance(3)
    guest.remove()
    assert list(lab.participants("Scripted")) == []
    lab.advance(4)
    assert int(lab.world.exchange.position[guest.account, 0]) == 3
    lab.check()


class Poor(Guest):
    def step(self):
        self.buy(0, 1)


def test_a_guest_without_money_is_named_and_its_refusals_are_counted():
    lab = model(Poor, usd=0)
    with pytest.warns(UserWarning) as told:
        lab.advance(3)
    (warning,) = told
    assert "Poor of account 56" in str(warning.message)
    assert "populations.Scripted.collateral" in str(warning.message)
    assert int(lab.result().metrics["refused_of_Scripted"]) == 3


@pytest.mark.parametrize(
    ("lots", "error", "message"),
    [
        (1.9, TypeError, r"Scripted: lots = 1\.9 is no whole number"),
        (2.0, TypeError, "lots = 2.0 is no whole number"),
        (float("nan"), TypeError, "lots = nan"),
        ("3", TypeError, "lots = '3'"),
        (None, TypeError, "lots = None"),
        (np.float64(3), TypeError, "is no whole number"),
        (2**63, ValueError, r"Scripted: lots = 9223372036854775808: must be from 0"),
        (-1, ValueError, "lots = -1: must be from 0"),
        (-(2**63) - 1, ValueError, "must be from 0"),
    ],
)
def test_a_guests_size_is_a_whole_number_that_fits(scripted, lots, error, message):
    _, guest = scripted
    for send in (guest.buy, guest.sell):
        with pytest.raises(error, match=message):
            send(0, lots)
    assert guest.outbox == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("ticks", 2**31),
        ("ticks", -5),
        ("side", 2),
        ("kind", 0),
        ("kind", 99),
        ("flags", 1 << 9),
        ("slot", -1),
        ("fee_bid", -1),
        ("market", -2),
        ("expiry_block", -1),
        ("expiry_block", 2**63),
    ],
)
def test_every_column_of_a_guest_has_its_bounds(scripted, column, value):
    _, guest = scripted
    with pytest.raises(ValueError, match=f"Scripted: {column} = {value}: must be"):
        guest.send(**{"kind": Kind.ORDER, column: value})


def test_a_guest_may_send_whole_numbers_of_any_make(scripted):
    _, guest = scripted
    guest.buy(np.int32(0), np.int64(3), np.uint16(900), slot=jnp.int64(2))
    (sent,) = guest.outbox
    assert (sent["lots"], sent["ticks"], sent["slot"]) == (3, 900, 2)
    assert {type(value) for value in sent.values()} == {int}


@pytest.mark.parametrize("latency_us", [-1, 0.5, 2**63])
def test_a_guests_latency_is_checked_too(scripted, latency_us):
    lab, guest = scripted
    guest.latency_us = latency_us
    guest.script = {0: lambda agent: agent.buy(0, 1)}
    with pytest.raises((TypeError, ValueError), match="Scripted: latency_us"):
        lab.step()


def test_a_guests_order_is_not_overtaken_by_its_cancel(scripted):
    lab, guest = scripted
    low = int(lab.snapshot.oracle[0] * 95 // 100)

    def slow_order(agent):
        agent.latency_us = 2_500_000
        agent.buy(0, 7, low, slot=2)

    def fast_cancel(agent):
        agent.latency_us = 0
        agent.cancel(0, 2)

    guest.script = {2: slow_order, 3: fast_cancel}
    lab.advance(6)
    assert guest.open_orders[0].tolist() == [0, 0]
    assert lab.snapshot.mempool >= 0
    assert int(lab.world.exchange.counters[Status.UNKNOWN_ORDER]) == int(
        watched(blocks=6).world.exchange.counters[Status.UNKNOWN_ORDER]
    )


class Busy(Guest):
    INTENTS = 20

    def step(self):
        for slot in range(self.INTENTS):
            self.cancel(0, slot % 4)


def test_a_guest_may_have_more_intents_than_the_usual():
    sent = model(Busy)._collect()
    assert sent.kind.tolist() == [[Kind.CANCEL] * Busy.INTENTS, [0] * Busy.INTENTS]
    assert np.diff(np.asarray(sent.arrival_us)[0]).tolist() == [1] * 19


@pytest.mark.parametrize(
    "given", [{"count": 1.5}, {"count": -1}, {"collateral": 0.5}, {"collateral": -1}]
)
def test_a_group_of_guests_has_whole_numbers(given):
    with pytest.raises((TypeError, ValueError), match=f"Idle: {next(iter(given))}"):
        Guests(Idle, **given)


def test_an_idle_guest_changes_nothing_for_anyone_else(scripted):
    lab, _ = scripted
    lab.advance(30)
    alone = watched(blocks=30).world
    for name in ("collateral", "position", "cost", "open_lots"):
        with_idle = getattr(lab.world.exchange, name)
        assert (with_idle[:56] == getattr(alone.exchange, name)).all(), name
    assert (lab.world.exchange.counters == alone.exchange.counters).all()
    assert lab.world.exchange.collateral[56:].tolist() == [50_000 * USD] * 2
