"""The world: prices, people, chain and exchange as one state and one pure step.

environment -> observe -> decide -> network -> react -> sequence -> execute -> risk ->
rollup -> measure. A run scans `step`; the Mesa model calls the same function.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from agents import network, views
from agents.families import FAMILIES, GUESTS
from agents.family import FamilySpec, Pending
from agents.homes import settled
from agents.measure import measures
from agents.measure.measures import Measures
from agents.reporters import Reports, honest_reports
from agents.reporters import reports as reports_of
from agents.views import Trend
from market.numbers.quantiles import log_normal
from market.numbers.randomness import (
    WHOLE_RUN,
    Stream,
    block_key,
    draw_words,
    run_key,
    stream_key,
)
from market.numbers.units import PPM
from market.prices import PriceParams, PriceSpec, price_path
from market.types.orders import Tx
from market.types.specs import VenueParams, VenueSpec
from market.types.state import ExchangeState, open_exchange
from rollup import chain
from rollup.chain import (
    BlockOutcome,
    ChainParams,
    ChainSpec,
    ChainState,
    Moment,
    Offered,
)
from rollup.execution import executor
from rollup.faults import Conditions
from rollup.faults.windows import (
    FaultParams,
    FaultWindows,
    conditions_of,
    draw_windows,
)
from rollup.mempool import arriving, concatenate, joined
from rollup.sequencing.contract import Clock


@dataclass(frozen=True)
class WorldSpec:
    """Everything that changes shapes or code of a run.

    Attributes:
        venue: the exchange.
        chain: the rollup.
        families: who is there, in order of accounts; guests last if there are any.
        prices: the price model.
        blocks: T, length of a run.
        block_us: length of a block in microseconds.
        reporters: N, oracle reporters.
        series_every: blocks between two samples of the time series.
    """

    venue: VenueSpec
    chain: ChainSpec
    families: tuple[FamilySpec, ...]
    prices: PriceSpec
    blocks: int
    block_us: int
    reporters: int = 5
    series_every: int = 10

    @property
    def guests(self) -> FamilySpec | None:
        """The accounts of agents written in plain Python."""
        found = [family for family in self.families if family.name == GUESTS]
        return found[0] if found else None

    @property
    def populations(self) -> tuple[FamilySpec, ...]:
        """The families that decide as arrays."""
        return tuple(family for family in self.families if family.name != GUESTS)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class OracleParams:
    """Where oracle reports come from, int64 scalars."""

    delay_blocks: Array  # age of the outside price that reporters see
    noise_ppm: Array  # standard deviation of a reporter's error
    own_weight_ppm: Array  # weight of this venue's mid price in the index


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class WorldParams:
    """Every number of a run; int64 leaves that may differ from lane to lane."""

    venue: VenueParams
    chain: ChainParams
    families: dict[str, Any]  # parameters by family name
    prices: PriceParams
    oracle: OracleParams
    faults: FaultParams
    insurance: Array  # [1 + M] quanta in the funds at the start: shared, by market
    guest_collateral: Array  # [] quanta of each guest


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Setting:
    """What one run is given once: drawn before the first block, never changed."""

    key: Array
    path: Array  # [T, M] outside prices in ticks
    windows: FaultWindows
    family_of: Array  # [A]
    start: Array  # [A] first collateral


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class World:
    """The state of a run between two blocks."""

    block: Array  # [] number of the next block
    exchange: ExchangeState
    chain: ChainState
    said: Array  # [M, N] ticks that each oracle reporter said last
    memories: dict[str, Any]
    trends: dict[str, Trend]  # of the outside price as each family sees it
    measures: Measures


def set_up(
    seed: Array, run: Array, params: WorldParams, *, spec: WorldSpec
) -> tuple[Setting, World]:
    """Draws a run: prices, faults, people and what they own."""
    key = run_key(seed, run)
    whole = block_key(key, WHOLE_RUN)
    path = price_path(
        key, params.prices, spec=spec.prices, blocks=spec.blocks, block_us=spec.block_us
    )
    collateral = _endow(whole, params, spec)
    setting = Setting(
        key=key,
        path=path,
        windows=draw_windows(key, params.faults),
        family_of=_family_of(spec),
        start=collateral,
    )
    memories = {}
    for family in spec.populations:
        memories[family.name] = FAMILIES[family.name].init(
            whole,
            params.families[family.name],
            collateral[family.accounts],
            spec=family,
            markets=len(spec.venue.markets),
        )
    world = World(
        block=jnp.zeros((), jnp.int64),
        exchange=open_exchange(spec.venue, collateral, params.insurance, path[0]),
        chain=chain.open_chain(
            params.chain,
            spec=spec.chain,
            blocks=spec.blocks,
            accounts=spec.venue.accounts,
        ),
        said=jnp.tile(path[0][:, None], (1, spec.reporters)),
        memories=memories,
        trends={
            family.name: views.no_trend(len(spec.venue.markets))
            for family in spec.populations
        },
        measures=measures.open_measures(spec.venue.accounts, len(FAMILIES) + 1),
    )
    return setting, world


class Block(NamedTuple):
    """What went into one block and what came out; enough to execute it again.

    Attributes:
        outcome: transactions, charges, receipts.
        reports: [M, N] oracle reports.
        seed_word: [] random word of the block.
    """

    outcome: BlockOutcome
    reports: Array
    seed_word: Array


def step(
    world: World,
    setting: Setting,
    guests: Tx | None,
    params: WorldParams,
    *,
    spec: WorldSpec,
) -> tuple[World, Block]:
    """Advances the world by one block.

    Args:
        world: the state.
        setting: the run's constants.
        guests: [G, K] transactions of plain-Python agents; None without any.
        params: the numbers.
        spec: the shapes.
    """
    key = block_key(setting.key, world.block)
    now_us = world.block * spec.block_us
    price = views.delayed(setting.path, world.block, jnp.int64(0))
    trends = _follow(world, setting, params)
    memories, offered, risk = _decide(
        key, world, trends, setting, guests, params, now_us, spec
    )
    conditions = conditions_of(
        setting.windows,
        now_us,
        faults=spec.chain.faults,
        markets=len(spec.venue.markets),
        reporters=spec.reporters,
    )
    reports = _reports(key, world, setting, params.oracle, conditions, spec)
    seed_word = draw_words(key, Stream.DELEVERAGING, (1,))[0].astype(jnp.int64)

    moment = Moment(world.block, spec.block_us, conditions)
    rollup, exchange, outcome = chain.step(
        stream_key(key, Stream.POLICY),
        world.chain,
        world.exchange,
        Offered(offered, setting.family_of),
        moment,
        params.chain,
        spec=spec.chain,
        execute=executor(
            reports.heard,
            seed_word,
            moment,
            params.venue,
            venue=spec.venue,
            modes=spec.chain.scheme.modes,
        ),
    )
    measured = measures.take(
        world.measures,
        world.exchange,
        exchange,
        outcome,
        rollup,
        risk,
        price,
        setting.family_of,
        world.block,
        spec=spec.venue,
    )
    world = replace(
        world,
        block=world.block + 1,
        exchange=exchange,
        chain=rollup,
        said=reports.said,
        memories=memories,
        trends=trends,
        measures=measured,
    )
    return world, Block(outcome, reports.heard, seed_word)


def _follow(world: World, setting: Setting, params: WorldParams) -> dict[str, Trend]:
    """Each family's averages of the price that it sees, as old as its data."""
    trends = {}
    for name, trend in world.trends.items():
        age = params.families[name].latency.data_blocks
        now = views.delayed(setting.path, world.block, age)
        before = views.delayed(setting.path, world.block, age + 1)
        trends[name] = views.follow(trend, before, now)
    return trends


def _decide(key, world: World, trends, setting: Setting, guests, params, now_us, spec):
    """Everyone's transactions of this block; first those who cannot see the mempool."""
    state = world.exchange
    multiplier = jnp.asarray(spec.venue.multipliers, jnp.int64)
    risk = views.account_risk(state, params.venue, spec.venue)
    danger = views.danger_list(state, risk, multiplier)
    quotes = views.best_quotes(state)
    words = draw_words(key, network.STREAM, (spec.venue.accounts, 2))
    memories, parts = {}, []

    def decide(family: FamilySpec, pending: Pending | None):
        numbers = params.families[family.name]
        view = views.view_of(
            family,
            state,
            risk,
            danger,
            trends[family.name],
            quotes,
            views.delayed(setting.path, world.block, numbers.latency.data_blocks),
            world.block,
            world.chain.height,
            now_us,
            pending,
            spec=spec.venue,
            block_us=spec.block_us,
        )
        memories[family.name], intents = FAMILIES[family.name].act(
            key, world.memories[family.name], view, numbers, spec=family
        )
        intents = settled(intents, spec.venue)
        way = words[family.accounts]
        parts.append(network.sent(intents, numbers.latency, way, now_us, spec.block_us))

    for family in spec.populations:
        if not FAMILIES[family.name].watches:
            decide(family, None)
    if guests is not None:
        parts.append(guests)
    sent = concatenate(*parts)
    for family in spec.populations:
        if FAMILIES[family.name].watches:
            pending = _pending(world, sent, family.number, params.chain, spec)
            decide(family, pending)
    return memories, concatenate(*parts), risk


def _pending(
    world: World, sent: Tx, viewer: int, params: ChainParams, spec: WorldSpec
) -> Pending | None:
    """What the ordering scheme shows a family of what waits and what was just sent."""
    scheme, state = spec.chain.scheme, world.chain
    new = arriving(sent, None, scheme.replicas, scheme.notes)
    now_us = world.block * spec.block_us
    shown = scheme.show(
        state.scheme,
        joined(state.waiting, new),
        Clock(world.block, state.height, now_us, spec.block_us),
        viewer,
        params.sequencer,
    )
    return None if shown is None else Pending(txs=shown)


def _reports(
    key,
    world: World,
    setting: Setting,
    params: OracleParams,
    conditions: Conditions,
    spec: WorldSpec,
) -> Reports:
    """What the reporters say of each market's index, faulty ones among them."""
    outside = views.delayed(setting.path, world.block, params.delay_blocks)
    ticks, _ = views.best_quotes(world.exchange)
    quoted = jnp.all(ticks > 0, axis=1)
    mid = jnp.where(quoted, (ticks[:, 0] + ticks[:, 1]) // 2, outside)
    index = outside + (mid - outside) * params.own_weight_ppm // PPM
    honest = honest_reports(key, index, params.noise_ppm, spec.reporters)
    return reports_of(honest, world.said, conditions)


def _endow(whole, params: WorldParams, spec: WorldSpec) -> Array:
    """First collateral of every account, [A] quanta."""
    words = draw_words(whole, Stream.POPULATION, (spec.venue.accounts,))
    parts = []
    for family in spec.families:
        if family.name == GUESTS:
            parts.append(jnp.broadcast_to(params.guest_collateral, (family.count,)))
            continue
        money = params.families[family.name].endowment
        drawn = log_normal(words[family.accounts], money.collateral, money.spread_ppm)
        parts.append(drawn)
    return jnp.concatenate(parts)


def _family_of(spec: WorldSpec) -> Array:
    numbers = [jnp.full((family.count,), family.number) for family in spec.families]
    return jnp.concatenate(numbers).astype(jnp.int64)
