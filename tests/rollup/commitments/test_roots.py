"""The commitments of a run equal a computation by hashlib over the NumPy arrays."""

import hashlib
import struct
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from market.numbers.units import as_int
from market.types.state import BookState, BreakerState, ExchangeState, open_exchange
from market.venues.dydx_v4.preset import dydx_v4
from rollup import chain
from rollup.commitments import roots
from rollup.replay import run_root, scheme_words
from rollup.types import ChainParams, ChainSpec
from tests.rollup.commitments.merkle.oracle import as_bytes

ACCOUNTS, MARKETS = 5, 3
VENUE, _ = dydx_v4(accounts=ACCOUNTS, book_capacity=3)
CHAIN = ChainSpec(queue=4, block_txs=2, batch_blocks=2)


@jax.jit
def root_of(state, rollup):
    return run_root(state, rollup, scheme_words(rollup.scheme))


ACCOUNTS_ROOT = jax.jit(roots.accounts_root)

#: Sums over the books: they follow from what is hashed.
DERIVED = {"open_lots", "open_loss"}
#: Fields with fields of their own, which are tried one by one.
PARTS = {"book", "breaker"}


def filled(state, rng):
    """The same arrays with random words in them; marks stay 0 or 1."""
    columns = {}
    for field in fields(state):
        value = getattr(state, field.name)
        if isinstance(value, BookState | BreakerState):
            columns[field.name] = filled(value, rng)
            continue
        high = 2 if field.name == "adl_pending" else 1 << 62
        low = 0 if field.name == "adl_pending" else -high
        columns[field.name] = as_int(rng.integers(low, high, value.shape))
    return replace(state, **columns)


@pytest.fixture(scope="module")
def state():
    start = open_exchange(VENUE, as_int([7] * ACCOUNTS), as_int(9), as_int([3, 4, 5]))
    return filled(start, np.random.default_rng(11))


@pytest.fixture(scope="module")
def rollup():
    nothing = ChainParams(sequencer=None, batches=None)
    pipeline = chain.open_chain(nothing, spec=CHAIN, blocks=4, accounts=ACCOUNTS)
    numbers = dict(height=31, executed=77, rejected=5, revenue=900)
    payouts = replace(
        pipeline.batches.payouts,
        asked=as_int(np.arange(3 * ACCOUNTS).reshape(3, ACCOUNTS)),
        requests=as_int([0, 2, 1]),
        asked_us=as_int([0, 70, 50]),
        paid=jnp.int64(123),
        payments=jnp.int64(6),
    )
    batches = replace(
        pipeline.batches,
        sealed=jnp.int64(5),
        payouts=payouts,
        done=as_int([5, 4, 4]),
    )
    given = {name: jnp.int64(value) for name, value in numbers.items()}
    return replace(pipeline, batches=batches, **given)


def packed(words) -> bytes:
    return struct.pack(f"<{len(words)}q", *(int(word) for word in words))


def merkle(rows) -> bytes:
    """A tree over rows of int64, padded with zero leaves to a power of two."""
    level = [hashlib.blake2s(packed(row), person=b"account1").digest() for row in rows]
    while len(level) & (len(level) - 1):
        level.append(bytes(32))
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [hashlib.blake2s(left + right).digest() for left, right in pairs]
    return level[0]


def accounts_by_hashlib(state: ExchangeState) -> bytes:
    rows = []
    for account in range(ACCOUNTS):
        row = [account, state.collateral[account], state.withdrawn[account]]
        rows.append([*row, *state.position[account], *state.cost[account]])
    return merkle(rows)


def books_by_hashlib(state: ExchangeState) -> bytes:
    book = state.book
    columns = (book.ticks, book.lots, book.owner, book.loss, book.expiry, book.came)
    arrays = [np.asarray(column).ravel() for column in columns]
    return merkle(np.stack(arrays, axis=1))


def root_by_hashlib(state: ExchangeState, rollup) -> bytes:
    names = "insurance fees residue paid_in oracle mark previous_mark basis_ema"
    names += " book_ema last funding_index"
    names += " premium_sum premium_samples votes vote_count oracle_us counters"
    names += " gate_block cooldown_us restarted_us"
    names += " made_us samples_due payments_due"
    words = []
    for name in names.split():
        words += np.asarray(getattr(state, name)).ravel().tolist()
    for name in ("ticks", "taken_us", "paused_until_us"):
        words += np.asarray(getattr(state.breaker, name)).ravel().tolist()
    marks = np.asarray(state.adl_pending).ravel()
    words.append(sum(int(mark) << place for place, mark in enumerate(marks)))
    names = "height executed rejected revenue"
    words += [int(getattr(rollup, name)) for name in names.split()]
    pipeline = rollup.batches
    payouts = pipeline.payouts
    words += [pipeline.sealed, payouts.paid, payouts.payments, *pipeline.done]
    words += [*payouts.requests.tolist(), *payouts.asked_us.tolist()]
    # Batches 4 and 5 are on their way: of three rows the first is free.
    asked = np.asarray(payouts.asked) * [[0], [1], [1]]
    words += np.frombuffer(merkle(asked.T), "<u4").tolist()
    message = accounts_by_hashlib(state) + books_by_hashlib(state) + packed(words)
    return hashlib.blake2s(message, person=b"lab root").digest()


def test_the_account_root_is_a_blake2s_tree_over_the_accounts(state):
    assert as_bytes(ACCOUNTS_ROOT(state)) == accounts_by_hashlib(state)


def test_the_state_root_hashes_accounts_books_and_everything_else(state, rollup):
    assert as_bytes(root_of(state, rollup)) == root_by_hashlib(state, rollup)


def changed(value, place=0):
    flat = value.reshape(-1)
    return flat.at[place].set(1 - flat[place]).reshape(value.shape)


@pytest.mark.parametrize(
    "name",
    [f.name for f in fields(ExchangeState) if f.name not in {*PARTS, *DERIVED}],
)
def test_every_field_of_the_exchange_is_bound(state, rollup, name):
    other = replace(state, **{name: changed(getattr(state, name), -1)})
    assert as_bytes(root_of(other, rollup)) != as_bytes(root_of(state, rollup))


@pytest.mark.parametrize("name", ["ticks", "lots", "owner", "loss", "expiry", "came"])
def test_every_field_of_an_order_is_bound(state, rollup, name):
    book = replace(state.book, **{name: changed(getattr(state.book, name), -1)})
    other = replace(state, book=book)
    assert as_bytes(root_of(other, rollup)) != as_bytes(root_of(state, rollup))


@pytest.mark.parametrize("name", [f.name for f in fields(BreakerState)])
def test_every_field_of_a_breaker_is_bound(state, rollup, name):
    changes = {name: changed(getattr(state.breaker, name), -1)}
    other = replace(state, breaker=replace(state.breaker, **changes))
    assert as_bytes(root_of(other, rollup)) != as_bytes(root_of(state, rollup))


@pytest.mark.parametrize("name", ["height", "executed", "rejected", "revenue"])
def test_what_the_chain_did_is_bound(state, rollup, name):
    other = replace(rollup, **{name: getattr(rollup, name) + 1})
    assert as_bytes(root_of(state, other)) != as_bytes(root_of(state, rollup))


@pytest.mark.parametrize("name", ["asked", "requests", "asked_us", "paid", "payments"])
def test_withdrawals_on_their_way_are_bound(state, rollup, name):
    payouts = rollup.batches.payouts
    payouts = replace(payouts, **{name: changed(getattr(payouts, name), -1)})
    other = replace(rollup, batches=replace(rollup.batches, payouts=payouts))
    assert as_bytes(root_of(state, other)) != as_bytes(root_of(state, rollup))


def test_the_state_of_a_scheme_is_bound_and_an_empty_one_adds_nothing(state, rollup):
    remembered = {"holder": jnp.int32(3), "open": jnp.asarray([True, False])}
    words = scheme_words(remembered)
    assert words.tolist() == [3, 1, 0] and words.dtype == jnp.int64
    plain, bound = root_of(state, rollup), run_root(state, rollup, words)
    assert as_bytes(bound) != as_bytes(plain)
    assert as_bytes(bound) != as_bytes(run_root(state, rollup, words.at[2].set(1)))
    nothing = scheme_words(())
    assert as_bytes(run_root(state, rollup, nothing)) == as_bytes(plain)


def test_the_account_root_leaves_prices_and_books_out(state):
    other = replace(state, oracle=state.oracle + 1, fees=state.fees + 1)
    assert as_bytes(ACCOUNTS_ROOT(other)) == as_bytes(ACCOUNTS_ROOT(state))
