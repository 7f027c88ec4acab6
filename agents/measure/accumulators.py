"""What every run accumulates: a few numbers, carried in its state.

Each costs O(1) in the number of blocks. `agents.measure.measures` takes a block into
them; metrics are read off them at the end, time series on the way.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Measures:
    """Accumulators of one run; int64. A: accounts, G: groups."""

    status: Array  # [] bits of `agents.measure.soundness.Fault`
    first_fault: Array  # [] block of the first one, -1 without
    error: Array  # [] largest |conservation error| of any block, quanta, lots or txs
    traded_quote: Array  # []
    trades: Array  # []
    liquidations: Array  # []
    liquidated_quote: Array  # []
    liquidation_fees: Array  # []
    liquidation_loss: Array  # [] quanta given up against the oracle price, fees apart
    insurance_paid: Array  # []
    deleveraged: Array  # []
    deleveraged_quote: Array  # []
    deleveraging_loss: Array  # []
    taken_over: Array  # [] value of positions that the vault took over
    backstop_paid: Array  # [] debts of deleveraged accounts that the vault paid
    funding_paid: Array  # []
    market_halts: Array  # [] market-blocks in which a market stood still
    spread_ppm: Array  # [] sum over blocks and markets with two sides
    depth: Array  # [] sum over the same of quanta within one percent of the mid
    quoted: Array  # [] how many there were
    one_sided: Array  # [] market-blocks without a bid or without an ask
    gap_ppm: Array  # [] largest |mid - outside price| of any block and market
    endangered: Array  # [] account-blocks in danger
    spells: Array  # [] times an account came into danger
    was_in_danger: Array  # [A] 0 or 1
    peak_negative: Array  # [] largest sum of negative equity
    deposits: Array  # [G] quanta that came in later
    withdrawals: Array  # [G] quanta that left
    withdrawal_count: Array  # []
    refused: Array  # [G] transactions that the exchange refused
    unlisted: Array  # [] account-blocks in danger beyond the danger list


def open_measures(accounts: int, groups: int) -> Measures:
    """Nothing measured yet."""
    zero = jnp.zeros((), jnp.int64)
    fields = dict.fromkeys(Measures.__dataclass_fields__, zero)
    fields["first_fault"] = zero - 1
    fields["was_in_danger"] = jnp.zeros((accounts,), jnp.int64)
    fields["deposits"] = jnp.zeros((groups,), jnp.int64)
    for name in ("withdrawals", "refused"):
        fields[name] = jnp.zeros((groups,), jnp.int64)
    return Measures(**fields)
