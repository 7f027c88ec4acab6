"""The world step: one block, as one pure function of the state.

environment -> observe -> decide -> network -> react -> sequence -> execute -> risk ->
rollup -> measure. A run scans `step`; the Mesa model calls the same function.
"""

from dataclasses import replace

import jax.numpy as jnp
from jax import Array

from agents import views
from agents.decisions import decide
from agents.measure import contract, measures
from agents.reporters import Reports, honest_reports
from agents.reporters import reports as reports_of
from agents.world import Block, OracleParams, Setting, World, WorldParams, WorldSpec
from market.numbers.randomness import Stream, block_key, draw_words, stream_key
from market.numbers.units import PPM
from market.types.orders import Tx
from rollup import chain
from rollup.chain import Moment, Offered
from rollup.execution import executor
from rollup.faults import Conditions
from rollup.faults.windows import conditions_of


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
    decided = decide(key, world, setting, guests, params, spec=spec)
    conditions = conditions_of(
        setting.windows,
        world.block * spec.block_us,
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
        Offered(decided.offered, setting.group_of),
        moment,
        params.chain,
        spec=spec.chain,
        executor=executor(
            reports.heard,
            seed_word,
            moment,
            params.venue,
            venue=spec.venue,
            modes=spec.chain.scheme.modes,
        ),
    )
    seen = contract.Seen(
        block=world.block,
        before=world.exchange,
        after=exchange,
        outcome=outcome,
        chain=rollup,
        risk=decided.public.risk,
        price=views.delayed(setting.path, world.block, jnp.int64(0)),
        group_of=setting.group_of,
        venue=spec.venue,
    )
    world = replace(
        world,
        block=world.block + 1,
        exchange=exchange,
        chain=rollup,
        said=reports.said,
        memories=decided.memories,
        trends=decided.trends,
        heard_us=decided.heard_us,
        measures=measures.take(world.measures, seen, spec.blocks),
        kept=contract.taken(spec.metrics, world.kept, seen),
    )
    return world, Block(outcome, reports.heard, seed_word)


def _reports(
    key: Array,
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
