"""Schemes that keep their contract, and some that break one rule each."""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import pytest

from examples.express_lane import EXPRESS_LANE
from experiments.conform.rules import findings
from experiments.conform.schemes import RULES
from market.types.orders import Kind
from rollup.sequencing.contract import Mode, Ordering, SenderOrder, SequencerParams
from rollup.sequencing.ranking import (
    MAX_BID,
    arrived,
    by_key,
    charge_senders,
    first_of,
    ready,
)

#: Rules that need no second compilation of the scheme.
CHEAP = RULES[:9]
EACH_ONCE, DROPS, READY, ROOM, CHARGES, MODES, SHOWN, SENDERS = RULES[1:9]
AGAIN, LANES, INTEGERS = RULES[9:]


@dataclass(frozen=True)
class Honest:
    """First come, first served, part by part so that a part can be spoilt."""

    name = "honest"
    modes = (Mode.CONTINUOUS,)
    params = SequencerParams
    replicas, notes, intake = 1, 0, ()
    sender_order = SenderOrder.BY_TIME

    def init(self, params, *, spec):
        return jnp.zeros((), jnp.int64)

    def show(self, state, waiting, clock, viewer, params):
        return None

    def those(self, waiting, clock):
        return ready(waiting, clock)

    def room(self, room, spec):
        return room

    def block(self, index, live):
        return index, live

    def rank(self, key, waiting):
        return waiting.tx.arrival_us

    def order(self, key, state, waiting, clock, room, params, *, spec):
        those = self.those(waiting, clock)
        ranked = by_key(self.rank(key, waiting), those)
        chosen = first_of(ranked, those, self.room(room, spec), spec)
        index, live = self.block(*chosen)
        charge = charge_senders(waiting, index, live, params.gas_fee, spec)
        return state + 1, Ordering(index, live, self.modes[0], charge)


class Doubles(Honest):
    sender_order = SenderOrder.NOT_KEPT

    def block(self, index, live):
        return index.at[1].set(index[0]), live.at[1].set(live[0])


class TakesTheCensored(Honest):
    def those(self, waiting, clock):
        return arrived(waiting, clock)


class Overfills(Honest):
    def room(self, room, spec):
        return spec.block_txs


class ShowsMore(Honest):
    def show(self, state, waiting, clock, viewer, params):
        return replace(waiting.tx, lots=waiting.tx.lots + 1)


class ComputesInFloats(Honest):
    def rank(self, key, waiting):
        return (waiting.tx.arrival_us * 0.5).astype(jnp.int64)


class DropsNobody(Honest):
    def order(self, key, state, waiting, clock, room, params, *, spec):
        state, ordering = super().order(
            key, state, waiting, clock, room, params, spec=spec
        )
        nobody = (waiting.tx.kind == Kind.NONE).astype(jnp.int64)
        return state, ordering._replace(drop=2 * nobody)


class NamesAnotherMode(Honest):
    def order(self, *given, spec):
        state, ordering = super().order(*given, spec=spec)
        return state, ordering._replace(mode=Mode.AUCTION)


class ByFee(Honest):
    """Says that it keeps a sender's order, and takes the highest bid first."""

    def rank(self, key, waiting):
        return MAX_BID - waiting.tx.fee_bid


class Unnumbered(Honest):
    """Says that a later one waits for a censored one, and lets it go."""

    sender_order = SenderOrder.NUMBERED


class Raises(Honest):
    def rank(self, key, waiting):
        raise ValueError("not today")


def broken(scheme, rules):
    return [found.says for found in findings(scheme, rules) if not found.holds]


@pytest.mark.parametrize("scheme", [Honest(), EXPRESS_LANE])
def test_a_scheme_from_outside_keeps_every_rule(scheme):
    assert broken(scheme, RULES) == []


@pytest.mark.parametrize(
    ("scheme", "rule"),
    [
        (Doubles(), EACH_ONCE),
        (TakesTheCensored(), READY),
        (Overfills(), ROOM),
        (ShowsMore(), SHOWN),
        (DropsNobody(), DROPS),
        (NamesAnotherMode(), MODES),
        (ByFee(), SENDERS),
        (Unnumbered(), SENDERS),
    ],
)
def test_a_rule_that_is_broken_is_named(scheme, rule):
    assert broken(scheme, CHEAP) == [rule.says]


def test_a_float_in_the_scheme_is_found():
    assert broken(ComputesInFloats(), [EACH_ONCE, INTEGERS]) == [INTEGERS.says]


def test_an_error_of_the_scheme_is_told_with_its_place():
    (found,) = findings(Raises(), [ROOM])
    assert not found.holds
    assert found.seen.startswith("raises ValueError: not today (")
    assert "test_schemes.py" in found.seen
