"""By which margin rule each update is accepted, and what it needs for that.

Host code on Python integers in object arrays: amounts here pass 63 bits.
"""

from dataclasses import dataclass

import numpy as np

from rollup.stark.rules.statement import ALLOWANCE_BOUND, PPM, RISK_BOUND, VALUE_BOUND
from rollup.stark.witness.batch import UnprovableBatchError, VenueState


def value_and_risk(collateral, positions, venue: VenueState):
    """Total value (quanta) and total risk (ppm of a quantum), as Python integers.

    Args:
        collateral: of every update and the idle one, [U+1].
        positions: the same, [U+1, M].
        venue: prices of each update's segment.
    """
    multipliers = np.array(venue.multipliers, object)
    lot = venue.by_update("prices").astype(object) * multipliers
    risk = lot * np.array(venue.risk_factor_ppm, object)
    lots = positions.astype(object)
    value = collateral.astype(object) + (lots * lot).sum(axis=1)
    total = (np.abs(lots) * risk).sum(axis=1)
    out = [v for v in value if abs(v) >= VALUE_BOUND]
    if out or any(t >= RISK_BOUND for t in total):
        raise UnprovableBatchError("total value or total risk out of range")
    return value, total


@dataclass(frozen=True)
class Acceptance:
    """By which rule each update is accepted (-1: none), and how.

    Attributes:
        rule: int64 [U+1].
        allowance: int64 [U+1], the least that the rule asks for.
        value1: total value after, with the allowance, Python integers [U+1].
        slack: by how much the rule's inequality holds, Python integers [U+1].
    """

    rule: np.ndarray
    allowance: np.ndarray
    value1: np.ndarray
    slack: np.ndarray


def accept(positions, value0, risk0, value1, risk1) -> Acceptance:
    """Chooses the first rule that accepts, with the least allowance that it needs.

    Args:
        positions: [U+1, M] after the update.
        value0: total value after funding, before the update, Python integers [U+1].
        risk0: total risk before the update.
        value1: total value after the update.
        risk1: total risk after the update.
    """
    kept = (risk1 <= risk0).astype(bool)
    empty = ~positions.any(axis=1)
    healthy = (value1 * PPM - risk1 >= 0).astype(bool)
    # value0 risk1 <= (value1 + a) risk0, and without a position value0 <= value1 + a
    missing = value0 * risk1 - value1 * risk0
    divisor = np.maximum(risk0, 1)
    needed = np.where(empty, value0 - value1, -(-missing // divisor))
    needed = np.where(healthy, 0, np.maximum(needed, 0))
    allowed = (needed < ALLOWANCE_BOUND).astype(bool)
    rule = np.full(len(value0), -1)
    rule[allowed & kept & (risk0 > 0).astype(bool)] = 1
    rule[allowed & empty] = 2
    rule[healthy] = 0
    allowance = np.where(rule > 0, needed, 0).astype(np.int64)
    value1 = value1 + allowance.astype(object)
    slacks = [
        value1 * PPM - risk1,
        value1 * risk0 - value0 * risk1,
        value1 - value0,
    ]
    slack = np.choose(np.maximum(rule, 0), slacks)
    return Acceptance(rule, allowance, value1, slack)


def complaint(account, margins, accepted: Acceptance) -> str:
    """Names the first update that no rule accepts, and why."""
    lane = int(np.flatnonzero(accepted.rule < 0)[0])
    value0, risk0, value1, risk1 = (int(m[lane]) for m in margins)
    why = "its requirement grows"
    if risk1 <= risk0:
        why = "value over requirement falls by more than an allowance covers"
    return (
        f"update {lane} leaves account {account[lane]} below its margin: value "
        f"{value1} quanta against a requirement of {risk1 // PPM}, "
        f"{value0} against {risk0 // PPM} before: {why}"
    )
