"""From account tables and updates to everything the trace needs to show.

Host code on numpy; amounts that pass 63 bits are Python integers in object arrays.
Updates apply in sequence and may name an account more than once.
"""

from dataclasses import dataclass

import numpy as np

from rollup.stark.accounts import (
    AccountTable,
    compress_many,
    leaf_blocks,
    leaf_chain,
    tree_levels,
)
from rollup.stark.parameters import StarkParameters
from rollup.stark.statement import (
    ALLOWANCE_BOUND,
    AMOUNT_BOUND,
    PPM,
    RISK_BOUND,
    VALUE_BOUND,
    PublicInputs,
    Segment,
)


class UnprovableBatchError(ValueError):
    """The batch breaks a rule that the proof enforces, or leaves its bounds."""


@dataclass(frozen=True)
class BatchUpdates:
    """Position updates in order.

    Attributes:
        account: int64 [U]; the same account may come again.
        collateral: int64 [U], after the update.
        positions: int64 [U, M], after the update.
    """

    account: np.ndarray
    collateral: np.ndarray
    positions: np.ndarray

    @classmethod
    def joined(cls, parts: "list[BatchUpdates]") -> "BatchUpdates":
        """Updates one after the other."""
        columns = ("account", "collateral", "positions")
        return cls(*(np.concatenate([getattr(p, c) for p in parts]) for c in columns))


@dataclass(frozen=True)
class VenueState:
    """Public numbers of a batch besides roots and sums: see ``PublicInputs``."""

    segments: tuple[Segment, ...]
    multipliers: tuple[int, ...]
    risk_ppm: tuple[int, ...]
    batch: int = 0

    @property
    def updates(self) -> int:
        """Updates of all segments."""
        return sum(segment.updates for segment in self.segments)

    def by_update(self, name: str) -> np.ndarray:
        """Prices or funding indices of each update, and of the idle one: [U+1, M]."""
        rows = np.array([getattr(s, name) for s in self.segments], np.int64)
        counts = [segment.updates for segment in self.segments]
        counts[-1] += 1
        return np.repeat(rows, counts, axis=0)


@dataclass(frozen=True)
class Witness:
    """What the trace is filled from; U + 1 lanes, the last one the idle update.

    Attributes:
        account: int64 [U+1].
        before, after: account rows of each lane.
        funded: collateral after funding, int64 [U+1].
        remainder: millionths dropped by the floor, below 10^6, int64 [U+1].
        allowance: what the update may lose beyond the margin rule, int64 [U+1].
        value0, risk0, risk1, slack: Python integers [U+1].
        value1: total value after the update and the allowance, Python integers [U+1].
        rule: 0 healthy, 1 reducing, 2 riskless, int64 [U+1].
        leaf_inputs0, leaf_inputs1: compression inputs [blocks][16, U+1].
        leaf0, leaf1: digests [8, U+1].
        old_nodes, new_nodes, siblings: per level [8, U+1].
        bits: per level [U+1].
    """

    account: np.ndarray
    before: AccountTable
    after: AccountTable
    funded: np.ndarray
    remainder: np.ndarray
    allowance: np.ndarray
    value0: np.ndarray
    risk0: np.ndarray
    value1: np.ndarray
    risk1: np.ndarray
    slack: np.ndarray
    rule: np.ndarray
    leaf_inputs0: list
    leaf_inputs1: list
    leaf0: np.ndarray
    leaf1: np.ndarray
    old_nodes: list
    new_nodes: list
    siblings: list
    bits: list
    old_root: tuple[int, ...]
    new_root: tuple[int, ...]

    @property
    def updates(self) -> int:
        """How many real updates there are."""
        return len(self.account) - 1


def updates_between(old: AccountTable, new: AccountTable) -> BatchUpdates:
    """One update for every account whose row differs between two tables."""
    changed = (
        (old.collateral != new.collateral)
        | (old.positions != new.positions).any(axis=1)
        | (old.indices != new.indices).any(axis=1)
    )
    touched = np.flatnonzero(changed)
    return BatchUpdates(touched, new.collateral[touched], new.positions[touched])


def _earlier(keys: np.ndarray) -> np.ndarray:
    """For each lane, the last earlier lane with the same key, or -1."""
    order = np.argsort(keys, kind="stable")
    out = np.full(len(keys), -1)
    same = keys[order[1:]] == keys[order[:-1]]
    out[order[1:][same]] = order[:-1][same]
    return out


def _earlier_sibling(keys: np.ndarray) -> np.ndarray:
    """For each lane, the last earlier lane whose key is the sibling's, or -1."""
    order = np.argsort(keys >> 1, kind="stable")
    parents, bits = keys[order] >> 1, keys[order] & 1
    places = np.arange(len(keys))
    starts = np.concatenate([[True], parents[1:] != parents[:-1]])
    start = np.maximum.accumulate(np.where(starts, places, 0))
    out = np.full(len(keys), -1)
    for bit in (0, 1):
        last = np.maximum.accumulate(np.where(bits == bit, places, -1))
        wanted = bits != bit
        found = wanted & (last >= start)
        out[order[found]] = order[last[found]]
    return out


def _rows_before(old: AccountTable, updates: BatchUpdates, indices) -> AccountTable:
    """Each update's account as the updates before it left it; the idle one last."""
    count = len(updates.account)
    rows = old.rows(updates.account)
    earlier = _earlier(updates.account)
    again = earlier >= 0
    collateral, positions = rows.collateral.copy(), rows.positions.copy()
    cached = rows.indices.copy()
    collateral[again] = updates.collateral[earlier[again]]
    positions[again] = updates.positions[earlier[again]]
    cached[again] = indices[earlier[again]]
    return _with_idle(AccountTable(collateral, positions, cached), indices[count])


def _with_idle(table: AccountTable, indices) -> AccountTable:
    """Appends the idle lane: an empty account that has paid all funding."""
    markets = table.positions.shape[1]
    return AccountTable(
        np.append(table.collateral, 0),
        np.concatenate([table.positions, np.zeros((1, markets), np.int64)]),
        np.concatenate([table.indices, np.asarray(indices, np.int64)[None]]),
    )


def _funded(before: AccountTable, indices) -> tuple[np.ndarray, np.ndarray]:
    """Collateral after funding, rounded down, and the millionths dropped."""
    change = (indices - before.indices).astype(object)
    paid = (change * before.positions.astype(object)).sum(axis=1)
    exact = before.collateral.astype(object) * PPM - paid
    funded = exact // PPM
    if any(not -AMOUNT_BOUND <= v < AMOUNT_BOUND for v in funded):
        raise UnprovableBatchError("collateral after funding out of range")
    return funded.astype(np.int64), (exact - funded * PPM).astype(np.int64)


def value_and_risk(collateral, positions, venue: VenueState):
    """Total value (quanta) and total risk (ppm of a quantum), as Python integers.

    Args:
        collateral: of every update and the idle one, [U+1].
        positions: the same, [U+1, M].
        venue: prices of each update's segment.
    """
    multipliers = np.array(venue.multipliers, object)
    lot = venue.by_update("prices").astype(object) * multipliers
    risk = lot * np.array(venue.risk_ppm, object)
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


def _walk(levels, account, leaf0, leaf1):
    """Nodes, siblings and bits of every lane, level by level.

    A lane sees the tree as the lanes before it left it. The last lane is idle: it
    walks up from its own leaf beside empty siblings and touches nothing.
    """
    old_nodes, new_nodes, siblings, bits = [], [], [], []
    old, new, keys = leaf0, leaf1, account[:-1].copy()
    for level in levels[:-1]:
        count = len(keys)
        sibling = np.zeros_like(old)
        sibling[:, :count] = level[:, keys ^ 1]
        own, other = _earlier(keys), _earlier_sibling(keys)
        sibling[:, :count][:, other >= 0] = new[:, other[other >= 0]]
        old = old.copy()
        if len(old_nodes):
            old[:, :count] = level[:, keys]
            old[:, :count][:, own >= 0] = new[:, own[own >= 0]]
        bit = np.append(keys & 1, 0)
        old_nodes.append(old)
        new_nodes.append(new)
        siblings.append(sibling)
        bits.append(bit)
        right = bit.astype(bool)
        stacked = []
        for node in (old, new):
            stacked.append(
                np.where(
                    right[None],
                    np.concatenate([sibling, node]),
                    np.concatenate([node, sibling]),
                )
            )
        both = compress_many(np.concatenate(stacked, axis=1))
        lanes = count + 1
        old, new, keys = both[:, :lanes], both[:, lanes:], keys >> 1
    root = new[:, -2] if len(account) > 1 else levels[-1][:, 0]
    return old_nodes, new_nodes, siblings, bits, tuple(int(v) for v in root)


def build_witness(
    old: AccountTable,
    updates: BatchUpdates,
    venue: VenueState,
    parameters: StarkParameters,
    enforce: bool = True,
) -> Witness:
    """Everything the prover shows about one batch.

    Args:
        old: accounts before the batch.
        updates: at most ``parameters.capacity`` updates.
        venue: prices, risk and funding indices of the batch.
        parameters: shape of the proof.
        enforce: refuse a batch that no valid proof can exist for. Tests switch it
            off to show that the verifier refuses too.

    Raises:
        UnprovableBatchError: an update is neither healthy nor a valid reduction, an
            amount is out of range, or the batch does not fit.
    """
    count = len(updates.account)
    if count > parameters.capacity:
        raise UnprovableBatchError(
            f"{count} updates; the trace holds {parameters.capacity}"
        )
    if count != venue.updates:
        raise UnprovableBatchError(f"{count} updates; the segments hold others")
    indices = venue.by_update("funding_indices")
    old = old.padded(1 << parameters.height)
    try:
        final = AccountTable.of(updates.collateral, updates.positions, indices[:count])
    except ValueError as problem:
        raise UnprovableBatchError(str(problem)) from problem
    account = np.append(updates.account, 0).astype(np.int64)
    before = _rows_before(old, updates, indices)
    after = _with_idle(final, indices[count])
    funded, remainder = _funded(before, indices)
    value0, risk0 = value_and_risk(funded, before.positions, venue)
    value1, risk1 = value_and_risk(after.collateral, after.positions, venue)
    margins = (value0, risk0, value1, risk1)
    accepted = accept(after.positions, *margins)
    if enforce and (accepted.rule < 0).any():
        raise UnprovableBatchError(_complaint(account, margins, accepted))
    markets = parameters.markets
    chain0 = leaf_chain(leaf_blocks(account, before), markets)
    chain1 = leaf_chain(leaf_blocks(account, after), markets)
    levels = tree_levels(old, parameters.height)
    nodes = _walk(levels, account, chain0[-1], chain1[-1])
    return Witness(
        account,
        before,
        after,
        funded,
        remainder,
        accepted.allowance,
        value0,
        risk0,
        accepted.value1,
        risk1,
        accepted.slack,
        np.maximum(accepted.rule, 0),
        chain0[:-1],
        chain1[:-1],
        chain0[-1],
        chain1[-1],
        *nodes[:4],
        tuple(int(v) for v in levels[-1][:, 0]),
        nodes[4],
    )


def _complaint(account, margins, accepted: Acceptance) -> str:
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


def public_inputs(witness: Witness, venue: VenueState) -> PublicInputs:
    """The public inputs that belong to an honest witness.

    Raises:
        UnprovableBatchError: the positions of a market do not sum to what they were.
    """
    traded = (witness.after.positions - witness.before.positions).sum(axis=0)
    if traded.any():
        raise UnprovableBatchError(
            f"positions of market {int(np.flatnonzero(traded)[0])} change"
        )
    deposit = (witness.after.collateral - witness.funded).sum()
    funding = (witness.funded - witness.before.collateral).sum()
    return PublicInputs(
        old_root=witness.old_root,
        new_root=witness.new_root,
        segments=venue.segments,
        multipliers=tuple(int(v) for v in venue.multipliers),
        risk_ppm=tuple(int(v) for v in venue.risk_ppm),
        net_deposit=int(deposit),
        funding_flow=int(funding),
        allowance=int(witness.allowance.sum()),
        batch=int(venue.batch),
        height=len(witness.bits),
    )
