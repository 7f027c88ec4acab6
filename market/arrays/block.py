"""The transactions of a block in their order; see `market.kernels.block`."""

import jax.numpy as jnp
from jax import Array, lax

from market.arrays import funds
from market.arrays.admission import check_names, takes_off
from market.arrays.clearing import clear
from market.arrays.cover import drop_undercollateralised
from market.arrays.deleveraging import deleverage_pending
from market.arrays.fills import drop_expired
from market.arrays.gate import close_gate
from market.arrays.lane import Env, Lane, Order, Outcome, Request, Txs, choose, when
from market.arrays.liquidation import liquidate
from market.arrays.margin import reckon_prices
from market.arrays.matching import Name, cancel_all, place_order, reduce
from market.arrays.rounds import (
    Round,
    admit_liquidation,
    admit_order,
    cancel_all_in_round,
    drop_reductions,
    open_round,
    reduce_in_round,
)
from market.arrays.staged import admit_staged, liquidate_in_stages
from market.arrays.takeover import take_over
from market.types.orders import Kind, Status
from market.types.specs import Liquidation


def execute_one(lane: Lane, env: Env, tx: Txs) -> tuple[Lane, Outcome]:
    """Runs one transaction continuously."""
    bad = check_names(env, tx)
    ok, none = bad == 0, _nothing()
    lane, cancelled = run_cancel(lane, env, ok, tx)
    moves = ok & _moves_money(tx.kind)
    lane, moved = run_transfer(lane, env, moves, tx)
    orders = ok & _is_order(tx.kind)
    lane, ordered = when(
        orders,
        lambda lane, _: place_order(lane, env, orders, _order_of(env, tx)),
        lane,
        none,
    )
    seizes = ok & (tx.kind == Kind.LIQUIDATE)
    lane, seized = when(
        seizes,
        lambda lane, _: run_liquidation(lane, env, seizes, _request_of(env, tx)),
        lane,
        none,
    )
    outcome = none._replace(status=jnp.where(moves, moved, cancelled))
    outcome = choose(orders, ordered, choose(seizes, seized, outcome))
    outcome = choose(ok, outcome, none._replace(status=bad))
    return lane, choose(tx.kind != Kind.NONE, outcome, none)


def run_cancel(lane: Lane, env: Env, on, tx: Txs) -> tuple[Lane, Array]:
    """A cancel of one order or of all, a reduction, the cancel of a replacement.

    Returns:
        ``(lane, status)``; the status of a replacement is its order's business.
    """
    name, is_part = _name_of(env, tx), tx.kind == Kind.REDUCE
    one = is_part | (tx.kind == Kind.CANCEL) | (tx.kind == Kind.REPLACE)
    lane, status = reduce(lane, env, on & one, name, tx.lots, ~is_part)
    every = on & (tx.kind == Kind.CANCEL_ALL)
    lane = when(
        every,
        lambda lane: cancel_all(lane, env, every, name.account, tx.market),
        lane,
    )
    accepts = tx.kind == Kind.CANCEL_ALL
    return lane, jnp.where(accepts, int(Status.ACCEPTED), status)


def run_liquidation(lane: Lane, env: Env, on, request: Request):
    """A liquidation by the rules of the venue: ``(lane, outcome)``."""
    if env.sizes.liquidation == Liquidation.TAKEOVER:
        return take_over(lane, env, on, request)
    if env.sizes.liquidation == Liquidation.STAGES:
        return liquidate_in_stages(lane, env, on, request)
    return liquidate(lane, env, on, request)


def run_transfer(lane: Lane, env: Env, on, tx: Txs) -> tuple[Lane, Array]:
    """A deposit or a withdrawal: ``(lane, status)``."""
    account = _name_of(env, tx).account
    comes = tx.kind == Kind.DEPOSIT
    lane, paid_in = funds.deposit(lane, on & comes, account, tx.lots)
    lane, paid_out = funds.withdraw(lane, env, on & ~comes, account, tx.lots)
    return lane, jnp.where(comes, paid_in, paid_out)


def admit_one(lane: Lane, env: Env, waiting: Round, row, tx: Txs):
    """Takes one into an auction's round: ``(lane, round, outcome)``.

    The status is 0 for what waits for the price.
    """
    bad = check_names(env, tx)
    ok, none = bad == 0, _nothing()
    lane, waiting, cancelled = run_cancel_in_round(lane, env, waiting, ok, tx)
    moves = ok & _moves_money(tx.kind)
    lane, moved = run_transfer(lane, env, moves, tx)
    orders = ok & _is_order(tx.kind)
    order = _order_of(env, tx)
    lane, waiting, reason = admit_order(lane, env, waiting, orders, row, order)
    seizes = ok & (tx.kind == Kind.LIQUIDATE)
    request = _request_of(env, tx)
    lane, waiting, seized = when(
        seizes,
        lambda lane, waiting, _: admit_any_liquidation(
            lane, env, waiting, seizes, row, request
        ),
        lane,
        waiting,
        none,
    )
    status = jnp.where(takes_off(tx.kind), cancelled, jnp.where(moves, moved, reason))
    outcome = choose(seizes, seized, none._replace(status=status))
    outcome = choose(ok, outcome, none._replace(status=bad))
    return lane, waiting, choose(tx.kind != Kind.NONE, outcome, none)


def run_cancel_in_round(lane: Lane, env: Env, waiting: Round, on, tx: Txs):
    """As `run_cancel`, of orders that wait or rest: ``(lane, round, status)``."""
    name, is_part = _name_of(env, tx), tx.kind == Kind.REDUCE
    one = is_part | (tx.kind == Kind.CANCEL) | (tx.kind == Kind.REPLACE)
    lane, waiting, status = reduce_in_round(
        lane, env, waiting, on & one, name, tx.lots, ~is_part
    )
    accepts = tx.kind == Kind.CANCEL_ALL
    every = on & accepts
    lane, waiting = when(
        every,
        lambda lane, waiting: cancel_all_in_round(
            lane, env, waiting, every, name.account, tx.market
        ),
        lane,
        waiting,
    )
    return lane, waiting, jnp.where(accepts, int(Status.ACCEPTED), status)


def admit_any_liquidation(lane: Lane, env: Env, waiting: Round, on, row, request):
    """A liquidation by the rules of the venue, in an auction's block."""
    if env.sizes.liquidation == Liquidation.TAKEOVER:
        return take_over_first(lane, env, waiting, on, request)
    if env.sizes.liquidation == Liquidation.STAGES:
        return admit_staged(lane, env, waiting, on, row, request)
    lane, waiting, reason = admit_liquidation(lane, env, waiting, on, row, request)
    return lane, waiting, _nothing()._replace(status=reason)


def take_over_first(lane: Lane, env: Env, waiting: Round, on, request: Request):
    """A takeover in an auction's block: at once, before the clearing."""
    lane, outcome = take_over(lane, env, on, request)
    done = on & (outcome.status == Status.FILLED)
    keeper, market = request.keeper, request.market
    lane, waiting = cancel_all_in_round(lane, env, waiting, done, request.target)
    lane, waiting = drop_reductions(lane, waiting, done, keeper, market)
    return lane, waiting, outcome


def run_continuously(lane: Lane, env: Env, txs: Txs) -> tuple[Lane, Outcome]:
    """Every transaction in its order, each meeting the book that the last one left."""
    return lax.scan(lambda lane, tx: execute_one(lane, env, tx), lane, txs)


def run_auction(lane: Lane, env: Env, txs: Txs) -> tuple[Lane, Outcome]:
    """Every transaction in its order, orders to wait; then one price a market."""

    def admit(carry, item):
        (lane, waiting), (row, tx) = carry, item
        lane, waiting, outcome = admit_one(lane, env, waiting, row, tx)
        return (lane, waiting), outcome

    carry = (lane, open_round(env.sizes.messages))
    rows = jnp.arange(env.sizes.messages)
    (lane, waiting), admitted = lax.scan(admit, carry, (rows, txs))
    lane, waiting, finished = clear(lane, env, waiting)
    status = jnp.where(waiting.waits != 0, finished, admitted.status)
    lots, quote = admitted.lots + waiting.got, admitted.quote + waiting.quote
    return lane, Outcome(status, lots, quote)


def open_block(lane: Lane, env: Env) -> tuple[Lane, Env]:
    """Reckons the block's prices; expired and uncovered orders leave the books."""
    env = reckon_prices(env, lane.position)
    expired = (lane.expiry > 0) & (lane.expiry < env.block)
    lane = when(expired.any(), lambda lane: drop_expired(lane, env), lane)
    return drop_undercollateralised(lane, env), env


def close_block(lane: Lane, env: Env, txs: Txs, outcomes: Outcome) -> Lane:
    """Counts the outcomes, deleverages what was marked, closes the gate."""
    counted = jnp.where(txs.kind == Kind.NONE, 0, 1)
    counters = lane.counters.at[outcomes.status].add(counted)
    lane = deleverage_pending(lane._replace(counters=counters), env)
    return close_gate(lane, env)


def run_continuous_block(lane: Lane, env: Env, txs: Txs) -> tuple[Lane, Outcome]:
    """Runs a block in continuous matching."""
    lane, env = open_block(lane, env)
    lane, outcomes = run_continuously(lane, env, txs)
    return close_block(lane, env, txs, outcomes), outcomes


def run_auction_block(lane: Lane, env: Env, txs: Txs) -> tuple[Lane, Outcome]:
    """Runs a block in auction mode."""
    lane, env = open_block(lane, env)
    lane, outcomes = run_auction(lane, env, txs)
    return close_block(lane, env, txs, outcomes), outcomes


# --- what a transaction says, within bounds ------------------------------------------


def _nothing() -> Outcome:
    zero = jnp.zeros((), jnp.int64)
    return Outcome(zero, zero, zero)


def _is_order(kind) -> Array:
    return (kind == Kind.ORDER) | (kind == Kind.REPLACE)


def _moves_money(kind) -> Array:
    return (kind >= Kind.DEPOSIT) & (kind <= Kind.FORCED_WITHDRAW)


def _name_of(env: Env, tx: Txs) -> Name:
    sizes = env.sizes
    return Name(
        jnp.clip(tx.account, 0, sizes.accounts - 1),
        jnp.clip(tx.market, 0, sizes.markets - 1),
        jnp.clip(tx.slot, 0, sizes.slots - 1),
    )


def _order_of(env: Env, tx: Txs) -> Order:
    account, market, slot = _name_of(env, tx)
    sign = jnp.clip(tx.side, -2, 2)  # -1 and 1 are good, the rest is not
    terms = (tx.ticks, tx.lots, tx.flags)
    return Order(account, market, sign, *terms, slot, tx.expiry_block)


def _request_of(env: Env, tx: Txs) -> Request:
    keeper, market, _ = _name_of(env, tx)
    target = jnp.clip(tx.slot, 0, env.sizes.accounts - 1)
    return Request(keeper, target, market, tx.lots, tx.ticks)
