"""What stands still in a block although the chain runs: stale prices, restart grace.

A market whose oracle price is older than the venue allows is halted until a fresh
price comes: orders and liquidations are refused, cancels pass, nobody is deleveraged
at that price. Withdrawals of an account with a position or an order in such a market
are refused, since what it may take out is reckoned at that price. After a halt of the
sequencer the venue may hold back liquidations for a grace period, in which traders can
add collateral or close; other orders pass.

Both rules are off where their time is zero. They are the lab's own: under every venue
alike, and none of the venues has them.

Source: the maximum price age that oracle consumers are told to check, and the grace
period of the feed that watches L2 sequencers (Chainlink documentation, "L2 sequencer
uptime feeds"); dYdX incident review of 10 October 2025, where the restart without
either cost traders 462,097.79 USD.
"""

from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from market.types.orders import Kind, Receipt, Status, Tx
from market.types.specs import VenueParams
from market.types.state import ExchangeState
from market.upkeep.oracle import is_stale


class Stops(NamedTuple):
    """What stands still in one block.

    Attributes:
        stale: bool[M], markets without a fresh price.
        grace: bool[], liquidations are held back after a restart.
    """

    stale: Array
    grace: Array

    def holds_deleveraging(self) -> Array:
        """Markets in which nobody is deleveraged in this block; bool [M]."""
        return self.stale | self.grace


def stops_of(state: ExchangeState, now_us: Array, params: VenueParams) -> Stops:
    """What stands still in the block that starts at ``now_us``.

    Args:
        state: after the block's oracle reports were taken.
        now_us: [] start of the block.
        params: ages and times; a price at exactly the largest age is not stale, and a
            block at exactly the end of the grace period is out of it.
    """
    limit = params.oracle_max_age_us
    restarted, grace = state.restarted_us, params.restart_grace_us
    return Stops(
        stale=(limit > 0) & is_stale(now_us, state.oracle_us, limit),
        grace=(restarted > 0) & (now_us < restarted + grace),
    )


def refusals(txs: Tx, state: ExchangeState, stops: Stops) -> Array:
    """Why each transaction is refused before it is looked at; [B], NONE if it is not.

    An account is held to what it has in stale markets when the block opens. A position
    there cannot go within the block; an order can, and frees the account in the next.

    Orders in stale markets are not among them: the exchange refuses those itself, in
    a market that is halted.
    """
    leaves = (txs.kind == Kind.WITHDRAW) | (txs.kind == Kind.FORCED_WITHDRAW)
    accounts = state.collateral.shape[0]
    known = (txs.account >= 0) & (txs.account < accounts)
    bound = _depends_on(state, stops.stale)[jnp.clip(txs.account, 0, accounts - 1)]
    gated = leaves & known & bound
    spared = (txs.kind == Kind.LIQUIDATE) & stops.grace
    reason = jnp.where(gated, Status.WITHDRAWALS_GATED, Status.NONE)
    return jnp.where(spared, Status.HALTED, reason)


def _depends_on(state: ExchangeState, markets: Array) -> Array:
    """Whether each account has a position or an order in those markets; bool [A]."""
    has = (state.position != 0) | jnp.any(state.open_lots != 0, axis=-1)
    return jnp.any(has & markets, axis=-1)


def without_refused(txs: Tx, reasons: Array) -> Tx:
    """The transactions that the exchange is to run; refused ones become empty."""
    return replace(txs, kind=jnp.where(reasons > 0, Kind.NONE, txs.kind))


def note_refusals(
    state: ExchangeState, receipts: Receipt, reasons: Array
) -> tuple[ExchangeState, Receipt]:
    """Counts the refusals and puts them where the receipts of the refused stand."""
    counters = state.counters.at[reasons].add(jnp.where(reasons > 0, 1, 0))
    status = jnp.where(reasons > 0, reasons, receipts.status)
    return replace(state, counters=counters), replace(receipts, status=status)
