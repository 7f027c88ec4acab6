"""One forgery for each group of rules: that group catches it, and no other does.

Each forged trace is consistent everywhere but for the one lie. With the group that
guards against it switched off the trace is accepted, so the test cannot pass for a
wrong reason.
"""

import dataclasses

import numpy as np
import pytest

from rollup.stark.prove.trace import build_trace
from rollup.stark.prove.trace_amounts import coefficients
from rollup.stark.prove.trace_builder import TraceBuilder
from rollup.stark.rules import air
from rollup.stark.rules.arithmetic import P
from rollup.stark.rules.layout import layout_for
from rollup.stark.witness.acceptance import value_and_risk
from rollup.stark.witness.witness import build_witness, public_inputs
from tests.rollup.stark import batches
from tests.rollup.stark.batches import SMALL
from tests.rollup.stark.conftest import Batch, evaluator_for

LAYOUT = layout_for(3)
LOT = 6_000_000
NEED = LOT * 12_000 // 1_000_000
RICH = 10**12


def lots(n: int) -> list[int]:
    return [n, 0, 0]


def dishonest(old, new, venue=None):
    """Witness and public inputs of a batch, whether or not it is acceptable."""
    venue = venue or batches.flat_venue(len(new.account))
    witness = build_witness(old, new, venue, SMALL, enforce=False)
    return witness, public_inputs(witness, venue)


def as_batch(public, trace) -> Batch:
    return Batch(None, None, None, SMALL, None, public, trace, b"")


def funding_ignored():
    """The account keeps what it owes, and the sums are stated accordingly."""
    venue = batches.flat_venue(2, indices=(1 << 37, 0, 0))
    old = batches.table([RICH, RICH], [lots(100), lots(-100)])
    new = batches.updates((0, RICH, lots(100)), (1, RICH, lots(-100)))
    witness, _ = dishonest(old, new, venue)
    funded = witness.before.collateral
    value0, risk0 = value_and_risk(funded, witness.before.positions, venue)
    forged = dataclasses.replace(
        witness, funded=funded, remainder=0 * funded, value0=value0, risk0=risk0
    )
    public = public_inputs(forged, venue)
    return as_batch(public, build_trace(forged, public, SMALL))


def underwater():
    """Account 0 ends with 100 lots and half the margin they need."""
    old = batches.table([50 * NEED, RICH], [lots(0), lots(0)])
    new = batches.updates(
        (0, 50 * NEED - 100 * LOT, lots(100)), (1, RICH + 100 * LOT, lots(-100))
    )
    return dishonest(old, new)


def value_inflated():
    """Total value after the update is shown higher than it is."""
    witness, public = underwater()
    value1, slack = witness.value1.copy(), witness.slack.copy()
    value1[0] += 100 * NEED
    slack[0] += 100 * NEED * 1_000_000
    forged = dataclasses.replace(witness, value1=value1, slack=slack)
    return as_batch(public, build_trace(forged, public, SMALL))


def slack_invented():
    """A slack of zero where the margin is missing."""
    witness, public = underwater()
    slack = witness.slack.copy()
    slack[0] = 0
    forged = dataclasses.replace(witness, slack=slack)
    return as_batch(public, build_trace(forged, public, SMALL))


def slack_negative():
    """A negative slack in limbs out of range, so that no carry is needed."""
    witness, public = underwater()
    trace = build_trace(witness, public, SMALL)
    b = TraceBuilder(witness, SMALL)
    b.cells = trace.reshape(LAYOUT.width, SMALL.capacity, 16)
    lane = LAYOUT.at("slack")
    shown = b.signed("slack")[0]
    free = coefficients(b, public)["slack"][0] + shown
    b.cells[lane, 0] = free % P
    for part, value in (("u", 2047), ("v", 2047)):
        b.cells[LAYOUT.at(f"slack_{part}"), 0] = value
    bias = 2047 * 33 - 67567
    b.cells[LAYOUT.at("slack_u"), 0] = 2047 - bias
    counts = np.bincount(
        b.cells[LAYOUT.at(LAYOUT.lanes[0]) :][: len(LAYOUT.lanes)].reshape(-1) & 4095,
        minlength=4096,
    )
    b.cells[LAYOUT.at("multiplicity")].reshape(-1)[:4096] = counts
    return as_batch(public, b.cells.reshape(LAYOUT.width, -1))


def reducing_while_growing():
    """A weak account takes on more lots and money: a better ratio, still too low."""
    weak = 20 * NEED - 100 * LOT
    old = batches.table([weak, RICH], [lots(100), lots(0)])
    new = batches.updates(
        (0, weak + 30 * NEED - 10 * LOT, lots(110)), (1, RICH + 10 * LOT, lots(-10))
    )
    witness, public = dishonest(old, new)
    rule, slack = witness.rule.copy(), witness.slack.copy()
    rule[0] = 1
    slack[0] = witness.value1[0] * witness.risk0[0]
    slack[0] -= witness.value0[0] * witness.risk1[0]
    assert slack[0] > 0
    forged = dataclasses.replace(witness, rule=rule, slack=slack)
    return as_batch(public, build_trace(forged, public, SMALL))


def richer_than_the_leaf():
    """The arithmetic starts from more collateral than the leaf commits to."""
    old = batches.table([50 * NEED, RICH], [lots(0), lots(0)])
    new = batches.updates((0, 60 * NEED, lots(0)), (1, RICH, lots(0)))
    witness, _ = dishonest(old, new)
    more = witness.before.collateral.copy()
    more[0] += 10 * NEED
    before = dataclasses.replace(witness.before, collateral=more)
    value0, _ = value_and_risk(more, before.positions, batches.flat_venue(2))
    return dataclasses.replace(witness, before=before, funded=more, value0=value0)


def leaf_not_hashed():
    """The packed leaf elements follow the lie; the hashed ones are the tree's."""
    forged = richer_than_the_leaf()
    public = public_inputs(forged, batches.flat_venue(2))
    return as_batch(public, build_trace(forged, public, SMALL))


def cells_untied():
    """The packed leaf elements are the tree's; the limbs are not."""
    forged = richer_than_the_leaf()
    public = public_inputs(forged, batches.flat_venue(2))
    trace = build_trace(forged, public, SMALL)
    value = 50 * NEED + (1 << 59)
    for k in range(3):
        trace[LAYOUT.at("collateral0_packed", k), :16] = value >> (24 * k) & 0xFFFFFF
    return as_batch(public, trace)


def root_out_of_nowhere():
    """The new root is not where the path leads."""
    old = batches.table([RICH, RICH], [lots(0), lots(0)])
    new = batches.updates((0, RICH - 5, lots(0)), (1, RICH + 5, lots(0)))
    witness, public = dishonest(old, new)
    public = dataclasses.replace(public, new_root=tuple(range(8)))
    trace = build_trace(witness, public, SMALL)
    for j in range(8):
        trace[LAYOUT.at("root", j), 32:] = j
    return as_batch(public, trace)


def allowance_hidden():
    """A weak account loses a quantum beyond the rule; nothing of it is stated."""
    weak = 20 * NEED - 100 * LOT
    old = batches.table([weak, RICH], [lots(100), lots(0)])
    new = batches.updates(
        (0, weak + 50 * LOT - 10 * NEED - 1, lots(50)),
        (1, RICH - 50 * LOT + 10 * NEED + 1, lots(50)),
    )
    witness, public = dishonest(old, new)
    assert public.allowance == 1
    trace = build_trace(witness, public, SMALL)
    trace[LAYOUT.at("sum_allowance")] = 0
    return as_batch(dataclasses.replace(public, allowance=0), trace)


def remainder_too_large():
    """Funding rounded one quantum too far: a remainder of a million millionths."""
    venue = batches.flat_venue(2, indices=(1 << 37, 0, 0))
    old = batches.table([RICH, RICH], [lots(100), lots(-100)])
    honest = batches.updates((0, RICH, lots(100)), (1, RICH, lots(-100)))
    witness, _ = dishonest(old, honest, venue)
    funded, remainder = witness.funded.copy(), witness.remainder.copy()
    funded[0] -= 1
    remainder[0] += 1_000_000
    value0, _ = value_and_risk(funded, witness.before.positions, venue)
    forged = dataclasses.replace(
        witness, funded=funded, remainder=remainder, value0=value0
    )
    public = public_inputs(forged, venue)
    return as_batch(public, build_trace(forged, public, SMALL))


def healthy_by_allowance():
    """An account that grows takes an allowance where it needs its margin."""
    old = batches.table([100 * NEED - 5, RICH], [lots(0), lots(0)])
    new = batches.updates(
        (0, 100 * NEED - 5 - 100 * LOT, lots(100)), (1, RICH + 100 * LOT, lots(-100))
    )
    witness, public = dishonest(old, new)
    allowance, value1 = witness.allowance.copy(), witness.value1.copy()
    slack = witness.slack.copy()
    allowance[0], value1[0], slack[0] = 5, value1[0] + 5, 0
    forged = dataclasses.replace(
        witness, allowance=allowance, value1=value1, slack=slack
    )
    public = dataclasses.replace(public, allowance=5)
    return as_batch(public, build_trace(forged, public, SMALL))


def sum_invented():
    """More collateral after than before, and a stated sum that hides it."""
    old = batches.table([RICH], [lots(0)])
    new = batches.updates((0, RICH + 5, lots(0)))
    witness, public = dishonest(old, new)
    trace = build_trace(witness, public, SMALL)
    start = LAYOUT.at("sum_deposit")
    trace[start : start + 5] = 0
    return as_batch(dataclasses.replace(public, net_deposit=0), trace)


def delay_forged():
    """A shift register that shows less risk than the lane it copies."""
    weak = 20 * NEED - 100 * LOT
    old = batches.table([weak, RICH], [lots(100), lots(0)])
    new = batches.updates((0, weak + LOT, lots(99)), (1, RICH - LOT, lots(1)))
    witness, public = dishonest(old, new)
    assert witness.rule[0] == 1
    trace = build_trace(witness, public, SMALL)
    for i in range(5):
        trace[LAYOUT.at("risk1_delay", i), 48:64] = 1
    return as_batch(public, trace)


def flag_changes_midway():
    """Two rules of acceptance in one update: each row takes the one it likes."""
    old = batches.table([RICH, RICH], [lots(0), lots(0)])
    new = batches.updates((0, RICH, lots(0)), (1, RICH, lots(0)))
    witness, public = dishonest(old, new)
    trace = build_trace(witness, public, SMALL)
    trace[LAYOUT.at("inverse"), 3] = 17
    return as_batch(public, trace)


ATTACKS = {
    funding_ignored: air.funding_rules,
    value_inflated: air.margin_rules,
    slack_invented: air.acceptance_rules,
    slack_negative: air.lookup_rules,
    reducing_while_growing: air.requirement_rules,
    leaf_not_hashed: air.leaf_rules,
    cells_untied: air.cell_rules,
    root_out_of_nowhere: air.path_rules,
    sum_invented: air.sum_rules,
    allowance_hidden: air.sum_rules,
    healthy_by_allowance: air.acceptance_rules,
    remainder_too_large: air.cell_rules,
    delay_forged: air.delay_rules,
    flag_changes_midway: air.held_rules,
}


def test_every_group_of_rules_has_its_forgery():
    assert set(ATTACKS.values()) == set(air.GROUPS)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.__name__)
def test_a_forgery_is_caught_by_its_guard_and_by_nothing_else(attack, monkeypatch):
    forged = attack()
    assert len(forged.broken(forged.trace))
    rest = tuple(g for g in air.GROUPS if g is not ATTACKS[attack])
    monkeypatch.setattr(air, "GROUPS", rest)
    evaluator_for.cache_clear()
    try:
        assert not len(forged.broken(forged.trace))
    finally:
        evaluator_for.cache_clear()
