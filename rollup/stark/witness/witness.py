"""From account tables and updates to everything the trace needs to show.

Host code on numpy; amounts that pass 63 bits are Python integers in object arrays.
Updates apply in sequence and may name an account more than once.
"""

from dataclasses import dataclass

import numpy as np

from rollup.stark.rules.parameters import StarkParameters
from rollup.stark.rules.statement import AMOUNT_BOUND, PPM, PublicInputs
from rollup.stark.witness.acceptance import accept, complaint, value_and_risk
from rollup.stark.witness.accounts import (
    AccountTable,
    leaf_blocks,
    leaf_chain,
    tree_levels,
)
from rollup.stark.witness.batch import BatchUpdates, UnprovableBatchError, VenueState
from rollup.stark.witness.paths import earlier_lane, walk


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


def _rows_before(old: AccountTable, updates: BatchUpdates, indices) -> AccountTable:
    """Each update's account as the updates before it left it; the idle one last."""
    count = len(updates.account)
    rows = old.rows(updates.account)
    earlier = earlier_lane(updates.account)
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
        raise UnprovableBatchError(complaint(account, margins, accepted))
    markets = parameters.markets
    chain0 = leaf_chain(leaf_blocks(account, before), markets)
    chain1 = leaf_chain(leaf_blocks(account, after), markets)
    levels = tree_levels(old, parameters.height)
    nodes = walk(levels, account, chain0[-1], chain1[-1])
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
        risk_factor_ppm=tuple(int(v) for v in venue.risk_factor_ppm),
        net_deposit=int(deposit),
        funding_flow=int(funding),
        allowance=int(witness.allowance.sum()),
        batch=int(venue.batch),
        height=len(witness.bits),
    )
