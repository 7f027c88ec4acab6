"""Withdrawals on their way to L1: each is paid with the batch that carries it.

What an account has asked for is kept apart for every batch that is not settled yet, in
a ring of rows: batch ``b`` has the row ``b mod L``. So an account may ask as often as
it likes, and what it asks for later postpones nothing that it asked for before. While
every row is taken no further batch is sealed (`has_room`); the open one grows instead.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax import Array

#: Words of the ring of one run at most (8 MB), where that leaves it `LEAST_ROWS`.
MOST_WORDS = 1 << 20
#: Rows of the ring at least, however many accounts there are.
LEAST_ROWS = 32


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Payouts:
    """Withdrawals that are not paid, and what was paid. A: accounts; L: rows."""

    opened: Array  # [A] quanta asked for in the batch being filled
    asked: Array  # [L, A] quanta asked for in each batch on its way, the open one too
    requests: Array  # [L] how many requests those are
    asked_us: Array  # [L] sum of the times at which they were made
    unpaid: Array  # [A] quanta asked for and not paid, over all batches
    paid: Array  # [] quanta paid in all
    payments: Array  # [] requests paid
    delay_us: Array  # [] sum of their delays


def no_payouts(batches: int, accounts: int) -> Payouts:
    """Nobody has asked for anything, in a run that can seal so many batches."""
    rows = min(batches, max(LEAST_ROWS, MOST_WORDS // accounts))
    zero = jnp.zeros((), jnp.int64)
    per_account = jnp.zeros((accounts,), jnp.int64)
    per_row = jnp.zeros((rows,), jnp.int64)
    return Payouts(
        opened=per_account,
        asked=jnp.zeros((rows, accounts), jnp.int64),
        requests=per_row,
        asked_us=per_row,
        unpaid=per_account,
        paid=zero,
        payments=zero,
        delay_us=zero,
    )


def has_room(payouts: Payouts, sealed: Array, settled: Array) -> Array:
    """Whether the open batch may be sealed: the next one needs a row of its own."""
    return sealed + 1 - settled < payouts.requests.shape[0]


def request(
    payouts: Payouts, withdrawn: Array, requests: Array, sealed: Array, now_us: Array
) -> Payouts:
    """Ties new withdrawals to the batch being filled.

    Args:
        payouts: those on their way.
        withdrawn: [A] quanta.
        requests: [] in how many withdrawals.
        sealed: [] batches sealed so far: the number of the open one.
        now_us: [] when they were asked for.
    """
    row = sealed % payouts.requests.shape[0]
    opened = payouts.opened + withdrawn
    return replace(
        payouts,
        opened=opened,
        asked=payouts.asked.at[row].set(opened),
        requests=payouts.requests.at[row].add(requests),
        asked_us=payouts.asked_us.at[row].add(requests * now_us),
        unpaid=payouts.unpaid + withdrawn,
    )


def closed(payouts: Payouts, seals: Array) -> Payouts:
    """The same with an empty open batch where the old one was sealed."""
    return replace(payouts, opened=jnp.where(seals, 0, payouts.opened))


def pay(payouts: Payouts, batch: Array, settles: Array, now_us: Array) -> Payouts:
    """Pays what batch number ``batch`` carries where it ``settles``, and frees its row.

    The row's quanta stand there until the next batch of that row overwrites them.
    """
    row = batch % payouts.requests.shape[0]
    due = jnp.where(settles, payouts.asked[row], 0)
    count = jnp.where(settles, payouts.requests[row], 0)
    asked_us = jnp.where(settles, payouts.asked_us[row], 0)
    return replace(
        payouts,
        requests=payouts.requests.at[row].add(-count),
        asked_us=payouts.asked_us.at[row].add(-asked_us),
        unpaid=payouts.unpaid - due,
        paid=payouts.paid + jnp.sum(due),
        payments=payouts.payments + count,
        delay_us=payouts.delay_us + count * now_us - asked_us,
    )


def unsettled(payouts: Payouts, sealed: Array, settled: Array) -> Array:
    """What each account asked for in each batch on its way, by row; [L, A].

    Rows of batches that are settled, which are free, count as zero.
    """
    rows = jnp.arange(payouts.requests.shape[0])
    taken = (rows - settled) % payouts.requests.shape[0] <= sealed - settled
    return jnp.where(taken[:, None], payouts.asked, 0)
