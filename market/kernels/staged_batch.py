"""Staged liquidation in auction mode; see `market.kernels.staged`."""

from market.kernels.batch import LIQUIDATOR, append, batch_of, drop_waiting
from market.kernels.lane import (
    ALL_MARKETS,
    FILLED_LOTS,
    FILLED_QUOTE,
    MARKETS,
    MESSAGES,
    NO_SLOT,
    NOTHING,
    PART_SLOT,
    POSITION,
    UNIT,
    per_position,
    vector,
)
from market.kernels.liquidation import note_liquidation
from market.kernels.matching import FILLED, cancel_all
from market.kernels.staged import (
    BANKRUPT,
    backstop,
    edge_of_band,
    mark_bankrupt,
    next_stage,
)
from market.native.ffi import kernel


@kernel
def admit_staged(t, index, liquidator, target, market, cap):
    """Admits a liquidation: `OK` and a row in the batch, or what became of it."""
    status, lots, is_part = next_stage(t, liquidator, target, market, cap)
    if status == FILLED:
        drop_waiting(t, target)
        backstop(t, target)
        unit = vector(t, UNIT, t[MARKETS])[market]
        vector(t, FILLED_LOTS, t[MESSAGES])[index] = lots
        vector(t, FILLED_QUOTE, t[MESSAGES])[index] = lots * unit
    if status == BANKRUPT:
        mark_bankrupt(t, target)
    if status != 0:
        return status
    sign = -1 if per_position(t, POSITION)[target, market] > 0 else 1
    limit = edge_of_band(t, market, sign)
    cancel_all(t, target, ALL_MARKETS)
    drop_waiting(t, target)
    note_liquidation(t, target, market, lots, NOTHING)
    slot = PART_SLOT if is_part else NO_SLOT
    row = append(
        t, index, market, target, sign, limit, lots, NOTHING, slot, NOTHING, NOTHING
    )
    batch_of(t)[row, LIQUIDATOR] = liquidator
    return status
