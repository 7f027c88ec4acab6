"""Whether a run is sound: its conservation laws, checked after every block."""

from enum import IntFlag
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.types.limits import MAX_COLLATERAL
from market.types.state import ExchangeState
from rollup.chain import ChainState, unaccounted


class Fault(IntFlag):
    """Bits of a run's status; 0 is a sound run."""

    MONEY = 1  # the conservation of money failed
    CONTRACTS = 2  # positions of a market do not sum to zero
    ORDERS = 4  # lots in a book differ from the lots of open orders
    TRANSACTIONS = 8  # a transaction is unaccounted for
    RANGE = 16  # an amount left the range in which arithmetic is exact
    OVERRUN = 32  # a block was made after the run's last


#: What each bit of a status says.
FAULT_MEANINGS = {
    Fault.MONEY: "money was created or lost",
    Fault.CONTRACTS: "positions of a market do not sum to zero",
    Fault.ORDERS: "a book holds other lots than the accounts' open orders",
    Fault.TRANSACTIONS: "a transaction is unaccounted for",
    Fault.RANGE: "an amount left the range of exact arithmetic",
    Fault.OVERRUN: "the run went on after its last block, without prices or room",
}


class Errors(NamedTuple):
    """By how much each conservation law fails; all zero in a sound state."""

    money: Array
    contracts: Array
    orders: Array


def conservation_errors(state: ExchangeState, paid_out: Array) -> Errors:
    """Exact conservation of money, contracts and orders.

    Money: collateral + insurance + fees + residue + unpaid withdrawals + paid out =
    paid in. Contracts: the positions of each market sum to zero. Orders: lots resting
    in a book are the lots of open orders.
    """
    held = jnp.sum(state.collateral) + jnp.sum(state.withdrawn)
    funds = jnp.sum(state.insurance) + state.fees + state.residue
    resting = jnp.sum(state.book.lots, axis=2)
    reserved = jnp.sum(state.open_lots, axis=0)
    return Errors(
        money=jnp.abs(held + funds + paid_out - state.paid_in),
        contracts=jnp.max(jnp.abs(jnp.sum(state.position, axis=0))),
        orders=jnp.max(jnp.abs(resting - reserved)),
    )


def soundness(state: ExchangeState, chain: ChainState) -> tuple[Array, Array]:
    """Status bits of a state, and its largest error in quanta, lots or transactions."""
    errors = conservation_errors(state, chain.batches.payouts.paid)
    lost = jnp.abs(unaccounted(chain))
    largest = jnp.max(jnp.abs(state.collateral))
    status = (
        (errors.money > 0) * Fault.MONEY
        | (errors.contracts > 0) * Fault.CONTRACTS
        | (errors.orders > 0) * Fault.ORDERS
        | (lost > 0) * Fault.TRANSACTIONS
        | (largest >= MAX_COLLATERAL) * Fault.RANGE
    )
    worst = jnp.maximum(jnp.maximum(errors.money, errors.contracts), errors.orders)
    return status, jnp.maximum(worst, lost)


def explain(status: int, block: int, run: int) -> str:
    """One sentence for a run that is not sound."""
    found = [text for bit, text in FAULT_MEANINGS.items() if status & bit]
    return f"run {run}, block {block}: {'; '.join(found)}"
