"""What participants see: public market data, account risk, the danger list."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from agents.family import GroupSpec, Pending, View
from market.numbers.units import PPM
from market.rules.margin import initial_requirement, maintenance_requirement
from market.rules.risk_steps import Steps, add_up, factor_ppm, requirement
from market.types.specs import Margin, VenueParams, VenueSpec
from market.types.state import ExchangeState
from market.upkeep.mark import margin_prices

#: Weight of the newest return in the smoothed ones: one in 2^4 blocks.
SMOOTHING_BITS = 4
#: Smoothed returns are kept in 2^-16 ppm, so that small ones do not vanish.
_FINE_BITS = 16
_FINE = 1 << _FINE_BITS
#: A return is taken to 2^-11 ppm: finer would overflow at the largest prices.
_RETURN_BITS = 11
#: Length of the danger list, and how many of it are the worst when more are in danger.
DANGER = 64
WORST = 32
#: In every so many blocks the list names another position than the largest.
OTHER_POSITION_EVERY = 4


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Trend:
    """Smoothed moves of the outside price, int64 [M], in 1/65536 ppm a block."""

    change: Array
    swing: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Risk:
    """Every account at oracle prices, int64 [A]."""

    equity: Array
    maintenance: Array
    initial: Array

    def in_danger(self) -> Array:
        """Which accounts may be liquidated: requirement above equity; bool [A]."""
        return (self.maintenance > 0) & (self.maintenance > self.equity)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class DangerList:
    """Accounts that may be liquidated, worst shortfall first; -1 beyond the last.

    Nobody is kept off it for ever by accounts that cannot be liquidated. Of more
    accounts than it has room for, its first half names the worst, and the second half
    the others in turn, from block to block. Of an account it names the largest
    position, and in every fourth block another one in turn: there may be nobody to
    take the largest.
    """

    account: Array  # [D]
    market: Array  # [D] of the position
    lots: Array  # [D] that position, signed


def no_trend(markets: int) -> Trend:
    """A market that has not moved yet."""
    zero = jnp.zeros((markets,), jnp.int64)
    return Trend(change=zero, swing=zero)


def follow(trend: Trend, before: Array, now: Array) -> Trend:
    """Takes the return from ``before`` to ``now`` (ticks [M]) into the averages."""
    step = (now - before) * (PPM << _RETURN_BITS) // before
    step = step << (_FINE_BITS - _RETURN_BITS)
    return Trend(
        change=trend.change + ((step - trend.change) >> SMOOTHING_BITS),
        swing=trend.swing + ((jnp.abs(step) - trend.swing) >> SMOOTHING_BITS),
    )


def account_risk(state: ExchangeState, params: VenueParams, spec: VenueSpec) -> Risk:
    """Equity and requirements of all accounts at the prices that margin is reckoned at.

    The initial requirement here uses the base fraction: it is a participant's guess;
    the venue scales it by open interest when it admits an order. On StarkEx the risk
    factor of the position stands for both where it is the larger.
    """
    multiplier = jnp.asarray(spec.multipliers, jnp.int64)
    notional = state.position * (margin_prices(state, spec) * multiplier)
    size, share = jnp.abs(notional), params.maintenance_fraction_ppm
    base = initial_requirement(size, params.initial_margin_ppm)
    required = maintenance_requirement(size, params.initial_margin_ppm, share)
    maintenance = jnp.sum(required, axis=1)
    if spec.margin == Margin.RISK_STEPS:
        steps = Steps(params.risk_upper, params.risk_factor_ppm, params.risk_by_balance)
        factor = factor_ppm(state.position, notional, steps)
        maintenance = add_up(*requirement(notional, factor)).quanta
        base = jnp.maximum(base, initial_requirement(size, factor))
    return Risk(
        equity=state.collateral + jnp.sum(notional, axis=1),
        maintenance=maintenance,
        initial=jnp.sum(base, axis=1),
    )


def danger_list(
    state: ExchangeState, risk: Risk, multiplier: Array, height: Array
) -> DangerList:
    """The accounts in danger with the largest shortfalls, and some others in turn.

    Shortfall and account are packed in one word and sorted; shortfalls are compared to
    about a dollar's precision.

    Args:
        state: the exchange.
        risk: of every account.
        multiplier: [M] quanta per lot and tick.
        height: [] blocks made; whose turn it is.
    """
    shortfall = jnp.clip((risk.maintenance - risk.equity) >> 20, 0, (1 << 31) - 1)
    key = jnp.where(risk.in_danger(), (shortfall + 1) << 20, 0)
    packed = jnp.sort(key | jnp.arange(risk.equity.shape[0]))[::-1]
    packed = jnp.pad(packed, (0, max(DANGER - packed.shape[0], 0)))
    packed = packed[_places(jnp.sum(packed >> 20 > 0), height)]
    listed = packed >> 20 > 0
    account = jnp.where(listed, packed & ((1 << 20) - 1), 0)
    held = state.position[account]
    market = _position_in_turn(held, state.oracle * multiplier, height)
    lots = jnp.take_along_axis(held, market[:, None], axis=1)[:, 0]
    return DangerList(account=jnp.where(listed, account, -1), market=market, lots=lots)


def _places(count: Array, height: Array) -> Array:
    """Ranks [D] of the accounts on the list, of ``count`` in danger."""
    place = jnp.arange(DANGER)
    others = jnp.maximum(count - WORST, 1)
    in_turn = (height * (DANGER - WORST) + place - WORST) % others
    return jnp.where((count > DANGER) & (place >= WORST), WORST + in_turn, place)


def _position_in_turn(held: Array, unit: Array, height: Array) -> Array:
    """Market [D] of the position that is named, of those ``held`` [D, M]."""
    largest = jnp.argmax(jnp.abs(held) * unit, axis=1)
    markets, turn = held.shape[1], height // OTHER_POSITION_EVERY
    steps = jnp.where(held != 0, (jnp.arange(markets) - turn) % markets, markets)
    is_other = height % OTHER_POSITION_EVERY == OTHER_POSITION_EVERY - 1
    return jnp.where(is_other, jnp.argmin(steps, axis=1), largest)


def best_quotes(state: ExchangeState) -> tuple[Array, Array]:
    """Best ticks and the lots of the best order, both [M, 2]; 0 on an empty side."""
    place = jnp.maximum(state.book.count - 1, 0)[..., None]
    empty = state.book.count == 0
    ticks = jnp.take_along_axis(state.book.ticks, place, axis=2)[..., 0]
    lots = jnp.take_along_axis(state.book.lots, place, axis=2)[..., 0]
    return jnp.where(empty, 0, ticks), jnp.where(empty, 0, lots)


class Clock(NamedTuple):
    """Where the block that is about to be made stands in time; [] each."""

    block: Array  # number of the block in time
    height: Array  # blocks made
    now_us: Array  # its start
    block_us: int  # its length


class Public(NamedTuple):
    """What an open ledger shows to everyone before a block.

    Attributes:
        clock: the block.
        state: the exchange as the last block left it.
        risk: of every account.
        danger: who may be liquidated.
        ticks, lots: best price of each side and lots of its best order; [M, 2].
        multiplier: [M] quanta per lot and tick.
    """

    clock: Clock
    state: ExchangeState
    risk: Risk
    danger: DangerList
    ticks: Array
    lots: Array
    multiplier: Array


def public_of(
    state: ExchangeState, params: VenueParams, clock: Clock, *, spec: VenueSpec
) -> Public:
    """Reads off the exchange what everyone may see of it."""
    multiplier = jnp.asarray(spec.multipliers, jnp.int64)
    risk = account_risk(state, params, spec)
    ticks, lots = best_quotes(state)
    danger = danger_list(state, risk, multiplier, clock.height)
    return Public(clock, state, risk, danger, ticks, lots, multiplier)


def view_of(
    group: GroupSpec,
    public: Public,
    price: Array,
    trend: Trend,
    pending: Pending | None,
) -> View:
    """The view of one group; ``price`` [M] and ``trend`` are as old as its data."""
    rows, clock, state = group.rows, public.clock, public.state
    return View(
        accounts=group.accounts,
        block=clock.block,
        height=clock.height,
        now_us=clock.now_us,
        block_us=jnp.asarray(clock.block_us, jnp.int64),
        price=price,
        change_ppm=trend.change // _FINE,
        swing_ppm=trend.swing // _FINE,
        oracle=state.oracle,
        oracle_age_us=clock.now_us - state.oracle_us,
        bid=public.ticks[:, 0],
        ask=public.ticks[:, 1],
        bid_lots=public.lots[:, 0],
        ask_lots=public.lots[:, 1],
        collateral=state.collateral[rows],
        position=state.position[rows],
        cost=state.cost[rows],
        open_lots=state.open_lots[rows],
        equity=public.risk.equity[rows],
        maintenance=public.risk.maintenance[rows],
        initial=public.risk.initial[rows],
        multiplier=public.multiplier,
        danger=public.danger.account,
        danger_market=public.danger.market,
        danger_lots=public.danger.lots,
        pending=pending,
    )


def delayed(path: Array, block: Array, blocks: Array) -> Array:
    """Row of the price path [T, M] that is ``blocks`` old; the first row before it."""
    place = jnp.clip(block - blocks, 0, path.shape[0] - 1)
    return lax.dynamic_index_in_dim(path, place, keepdims=False)
