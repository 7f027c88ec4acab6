"""A whole run as one compiled scan, and many runs as lanes of it."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from agents import views
from agents.measure import series
from agents.measure.contract import Reading
from agents.measure.metrics import metrics_of
from agents.opening import set_up
from agents.step import step
from agents.world import Setting, World, WorldParams, WorldSpec
from market.native.jit import jit_step
from market.types.orders import Tx
from rollup.replay import Record, run_root, scheme_words


class RunOutput(NamedTuple):
    """What is kept of R runs.

    Attributes:
        metrics: int64 [R] by the names of `agents.measure.metrics.metrics_of`.
        series: int64 [R, S] or [R, S, M] by the names of
            `agents.measure.series.SERIES`.
        state_root: uint32 [R, 8]; the run's identity.
        status: int64 [R], bits of `agents.measure.soundness.Fault`; 0 is sound.
        first_fault: int64 [R], block of the first violation, -1 without.
        fault_start_us, fault_end_us: int64 [R, F], fault windows as they struck.
    """

    metrics: dict[str, Array]
    series: dict[str, Array]
    state_root: Array
    status: Array
    first_fault: Array
    fault_start_us: Array
    fault_end_us: Array


def run(
    seed: Array, run_id: Array, params: WorldParams, *, spec: WorldSpec
) -> RunOutput:
    """One run from its seed and its number to its root; pure, no lane axis."""
    setting, world = set_up(seed, run_id, params, spec=spec)
    every = spec.series_every

    def window(world, number):
        """Blocks up to the next sample; one loop body, so the step compiles once."""
        world = lax.fori_loop(
            number * every,
            jnp.minimum((number + 1) * every, spec.blocks),
            lambda _, world: step(world, setting, None, params, spec=spec)[0],
            world,
        )
        price = views.delayed(setting.path, world.block, jnp.int64(1))
        return world, series.sample(world, price, params, spec=spec.venue)

    windows = jnp.arange(-(-spec.blocks // every))
    world, rows = lax.scan(window, world, windows)
    return output_of(world, setting, params, rows, spec=spec)


def output_of(
    world: World, setting: Setting, params: WorldParams, rows: dict, *, spec: WorldSpec
) -> RunOutput:
    """Reads the results off a finished world."""
    return RunOutput(
        metrics=figures_of(world, setting, params, spec=spec),
        series=rows,
        state_root=root_of(world),
        status=world.measures.status,
        first_fault=world.measures.first_fault,
        fault_start_us=setting.windows.start_us,
        fault_end_us=setting.windows.end_us,
    )


def figures_of(
    world: World, setting: Setting, params: WorldParams, *, spec: WorldSpec
) -> dict[str, Array]:
    """Every metric of a finished world by name; int64 scalars."""
    reading = reading_of(world, setting, params, spec=spec)
    return {
        name: metric.read(reading._replace(kept=world.kept.get(name)))
        for name, metric in metrics_of(spec).items()
    }


def reading_of(
    world: World, setting: Setting, params: WorldParams, *, spec: WorldSpec
) -> Reading:
    """What metrics are read off; profits are marked at the last oracle prices."""
    measures = world.measures
    risk = views.account_risk(world.exchange, params.venue, spec.venue)
    gain = risk.equity - setting.start
    gained = jnp.zeros((len(spec.groups),), jnp.int64).at[setting.group_of].add(gain)
    return Reading(
        measures=measures,
        exchange=world.exchange,
        chain=world.chain,
        risk=risk,
        profit=gained + measures.withdrawals - measures.deposits,
        insurance=params.insurance,
        venue=spec.venue,
    )


def root_of(world: World) -> Array:
    """The state root of a world; uint32 [8]."""
    return run_root(world.exchange, world.chain, scheme_words(world.chain.scheme))


@partial(jit_step, static_argnames="spec")
def start(
    seed: Array, run_id: Array, params: WorldParams, *, spec: WorldSpec
) -> tuple[Setting, World]:
    """A world before its first block, for whoever steps it from outside."""
    return set_up(seed, run_id, params, spec=spec)


@partial(jit_step, static_argnames="spec")
def advance(
    world: World,
    setting: Setting,
    guests: Tx | None,
    params: WorldParams,
    blocks: Array,
    *,
    spec: WorldSpec,
) -> World:
    """The world so many blocks later; ``guests`` send the same in each of them."""
    return lax.fori_loop(
        0,
        blocks,
        lambda _, world: step(world, setting, guests, params, spec=spec)[0],
        world,
    )


def simulate(
    seeds: Array, runs: Array, params: WorldParams, *, spec: WorldSpec
) -> RunOutput:
    """R runs side by side; compile it with `market.native.jit.jit_step`.

    The result of a run does not depend on R or on its lane.

    Args:
        seeds: int64 [R] seed of the experiment each run belongs to.
        runs: int64 [R] number of the run.
        params: leaves with a leading axis R.
        spec: the shapes, shared by all lanes.
    """
    return jax.vmap(partial(run, spec=spec))(seeds, runs, params)


@partial(jit_step, static_argnames="spec")
def record(
    seed: Array, run_id: Array, params: WorldParams, *, spec: WorldSpec
) -> tuple[Record, Array]:
    """One run with everything it executed, and its root.

    The root is that of `run`; keeping the record costs memory in proportion to the
    number of blocks.
    """
    setting, world = set_up(seed, run_id, params, spec=spec)
    first = world.exchange

    def advance(world, _):
        return step(world, setting, None, params, spec=spec)

    world, blocks = lax.scan(advance, world, length=spec.blocks)
    kept = Record(
        start=setting.start,
        insurance=first.insurance,
        ticks=first.oracle,
        windows=setting.windows,
        txs=blocks.outcome.txs,
        mode=blocks.outcome.mode,
        charge=blocks.outcome.charge,
        charge_after=blocks.outcome.charge_after,
        scheme=scheme_words(world.chain.scheme),
        receipts=blocks.outcome.receipts,
        reports=blocks.reports,
        seed_word=blocks.seed_word,
    )
    return kept, root_of(world)
