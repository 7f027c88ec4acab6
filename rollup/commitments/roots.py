"""The commitments of a run: a Merkle root over the accounts, and one root of it all.

An account's leaf binds its number, collateral, unpaid withdrawal, and per market its
position and its cost. The state root of a run hashes the account root, the root over
every order slot of the books, and the funds, prices, clocks, marks and counters of the
exchange; `rollup.replay` adds those of the chain. Two runs with the same state root
ended in the same state, but for what still waited in their mempools.
"""

import jax.numpy as jnp
from jax import Array, lax

from market.types.state import ExchangeState
from rollup.commitments.hashing.blake2s import blake2s
from rollup.commitments.merkle import account_leaf, merkle_root

#: Separates the state root from every other Blake2s use.
STATE_PERSON = b"lab root"


def account_words(state: ExchangeState) -> Array:
    """What a leaf commits to; int64 [A, 3 + 2M].

    Columns: account, collateral, withdrawn and unpaid, positions, costs.
    """
    accounts = state.collateral.shape[0]
    return jnp.concatenate(
        [
            jnp.arange(accounts, dtype=jnp.int64)[:, None],
            state.collateral[:, None],
            state.withdrawn[:, None],
            state.position,
            state.cost,
        ],
        axis=1,
    )


def accounts_root(state: ExchangeState) -> Array:
    """Blake2s Merkle root over the accounts; uint32 [8]."""
    return merkle_root(account_leaf(account_words(state)))


def books_root(state: ExchangeState) -> Array:
    """Blake2s Merkle root over all order slots, market by market; uint32 [8]."""
    book = state.book
    columns = (book.ticks, book.lots, book.owner, book.loss, book.expiry, book.came)
    rows = jnp.stack([column.reshape(-1) for column in columns], axis=-1)
    return merkle_root(account_leaf(rows))


def fund_words(state: ExchangeState) -> Array:
    """Everything else of the exchange as one int64 row.

    Sums over the books (`open_lots`, `open_loss`) follow from them and are left out.
    """
    parts = [
        state.insurance,
        state.fees,
        state.residue,
        state.paid_in,
        state.oracle,
        state.mark,
        state.previous_mark,
        state.basis_ema,
        state.book_ema,
        state.last,
        state.funding_index,
        state.premium_sum,
        state.premium_samples,
        state.votes,
        state.vote_count,
        state.oracle_us,
        state.counters,
        state.gate_block,
        state.cooldown_us,
        state.restarted_us,
        state.made_us,
        state.samples_due,
        state.payments_due,
        state.breaker.ticks,
        state.breaker.taken_us,
        state.breaker.paused_until_us,
        _packed(state.adl_pending),
    ]
    return jnp.concatenate([part.reshape(-1) for part in parts])


def _packed(marks: Array) -> Array:
    """Marks that are 0 or 1, 32 to a word, the first in the lowest bit."""
    flat = marks.reshape(-1)
    rows = jnp.pad(flat, (0, -flat.shape[0] % 32)).reshape(-1, 32)
    return jnp.sum(rows << jnp.arange(32), axis=1)


def state_root(state: ExchangeState, extra: Array) -> Array:
    """The root of a run; uint32 [8].

    Args:
        state: the exchange at its end.
        extra: int64 words of the chain that the root binds too.
    """
    words = jnp.concatenate([fund_words(state), extra])
    funds = lax.bitcast_convert_type(words, jnp.uint32).reshape(-1)
    message = jnp.concatenate([accounts_root(state), books_root(state), funds])
    return blake2s(message[None, :], 4 * message.shape[0], STATE_PERSON)[0]
