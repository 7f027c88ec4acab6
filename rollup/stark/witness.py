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
    AMOUNT_BOUND,
    INDEX_FRACTION_BITS,
    PPM,
    RISK_BOUND,
    VALUE_BOUND,
    PublicInputs,
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


@dataclass(frozen=True)
class VenueState:
    """Public numbers of a batch besides roots and sums: see ``PublicInputs``."""

    prices: tuple[int, ...]
    multipliers: tuple[int, ...]
    risk_ppm: tuple[int, ...]
    funding_indices: tuple[int, ...]
    batch: int = 0


@dataclass(frozen=True)
class Witness:
    """What the trace is filled from; U + 1 lanes, the last one the idle update.

    Attributes:
        account: int64 [U+1].
        before, after: account rows of each lane.
        funded: collateral after funding, int64 [U+1].
        remainder: fraction dropped by the floor, below 2^32, int64 [U+1].
        value0, risk0, value1, risk1, slack: Python integers [U+1].
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
    """Each update's account as the updates before it left it."""
    rows = old.rows(updates.account)
    earlier = _earlier(updates.account)
    again = earlier >= 0
    collateral, positions = rows.collateral.copy(), rows.positions.copy()
    cached = rows.indices.copy()
    collateral[again] = updates.collateral[earlier[again]]
    positions[again] = updates.positions[earlier[again]]
    cached[again] = np.asarray(indices)
    return AccountTable(collateral, positions, cached)


def _with_idle(table: AccountTable, indices) -> AccountTable:
    """Appends the idle lane: an empty account that has paid all funding."""
    markets = table.positions.shape[1]
    return AccountTable(
        np.append(table.collateral, 0),
        np.concatenate([table.positions, np.zeros((1, markets), np.int64)]),
        np.concatenate([table.indices, np.asarray(indices, np.int64)[None]]),
    )


def _funded(before: AccountTable, indices) -> tuple[np.ndarray, np.ndarray]:
    """Collateral after funding, rounded down, and the fraction dropped."""
    change = np.asarray(indices, object)[None] - before.indices.astype(object)
    paid = (change * before.positions.astype(object)).sum(axis=1)
    exact = (before.collateral.astype(object) << INDEX_FRACTION_BITS) - paid
    funded = exact >> INDEX_FRACTION_BITS
    if any(not -AMOUNT_BOUND <= v < AMOUNT_BOUND for v in funded):
        raise UnprovableBatchError("collateral after funding out of range")
    return funded.astype(np.int64), (exact - (funded << 32)).astype(np.int64)


def value_and_risk(collateral, positions, venue: VenueState):
    """Total value (quanta) and total risk (ppm of a quantum), as Python integers."""
    lot = [p * m for p, m in zip(venue.prices, venue.multipliers, strict=True)]
    risk = [v * r for v, r in zip(lot, venue.risk_ppm, strict=True)]
    lots = positions.astype(object)
    value = collateral.astype(object) + (lots * np.array(lot, object)).sum(axis=1)
    total = (np.abs(lots) * np.array(risk, object)).sum(axis=1)
    out = [v for v in value if abs(v) >= VALUE_BOUND]
    if out or any(t >= RISK_BOUND for t in total):
        raise UnprovableBatchError("total value or total risk out of range")
    return value, total


def _choose_rule(before, after, value0, risk0, value1, risk1):
    """Which rule accepts each update (-1: none), and its slack."""
    b0, b1 = before.positions, after.positions
    kept = (np.abs(b1) <= np.abs(b0)) & ((b1 == 0) | ((b1 > 0) == (b0 > 0)))
    kept = kept.all(axis=1)
    slacks = [
        value1 * PPM - risk1,
        value1 * risk0 - value0 * risk1,
        value1 - value0,
    ]
    rule, slack = np.full(len(value0), -1), slacks[0].copy()
    accepts = [
        slacks[0] >= 0,
        kept & (risk0 > 0) & (slacks[1] >= 0),
        kept & (risk0 == 0) & (slacks[2] >= 0),
    ]
    for number in (2, 1, 0):
        mask = accepts[number].astype(bool)
        rule[mask] = number
        slack[mask] = slacks[number][mask]
    return rule, slack


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
    old = old.padded(1 << parameters.height)
    try:
        final = AccountTable.of(
            updates.collateral,
            updates.positions,
            np.tile(np.asarray(venue.funding_indices), (count, 1)),
        )
    except ValueError as problem:
        raise UnprovableBatchError(str(problem)) from problem
    account = np.append(updates.account, 0).astype(np.int64)
    before = _with_idle(
        _rows_before(old, updates, venue.funding_indices), venue.funding_indices
    )
    after = _with_idle(final, venue.funding_indices)
    funded, remainder = _funded(before, venue.funding_indices)
    value0, risk0 = value_and_risk(funded, before.positions, venue)
    value1, risk1 = value_and_risk(after.collateral, after.positions, venue)
    rule, slack = _choose_rule(before, after, value0, risk0, value1, risk1)
    if enforce and (rule < 0).any():
        lane = int(np.flatnonzero(rule < 0)[0])
        raise UnprovableBatchError(
            f"update {lane} leaves account {account[lane]} below its margin"
        )
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
        value0,
        risk0,
        value1,
        risk1,
        slack,
        np.maximum(rule, 0),
        chain0[:-1],
        chain1[:-1],
        chain0[-1],
        chain1[-1],
        *nodes[:4],
        tuple(int(v) for v in levels[-1][:, 0]),
        nodes[4],
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
        prices=tuple(int(v) for v in venue.prices),
        multipliers=tuple(int(v) for v in venue.multipliers),
        risk_ppm=tuple(int(v) for v in venue.risk_ppm),
        funding_indices=tuple(int(v) for v in venue.funding_indices),
        net_deposit=int(deposit),
        funding_flow=int(funding),
        updates=witness.updates,
        batch=int(venue.batch),
        height=len(witness.bits),
    )
