"""Opening a run: prices, faults, people and what they own, drawn from its seed."""

import jax.numpy as jnp
from jax import Array

from agents import views
from agents.measure.accumulators import open_measures
from agents.measure.contract import opened
from agents.network import nobody_heard
from agents.world import Setting, World, WorldParams, WorldSpec
from market.numbers.quantiles import log_normal
from market.numbers.randomness import (
    WHOLE_RUN,
    Stream,
    block_key,
    draw_words,
    run_key,
)
from market.prices import price_path
from market.types.state import open_exchange
from rollup import chain
from rollup.faults.windows import draw_windows


def set_up(
    seed: Array, run: Array, params: WorldParams, *, spec: WorldSpec
) -> tuple[Setting, World]:
    """A run before its first block; pure.

    Args:
        seed: [] seed of the experiment.
        run: [] number of the run.
        params: the numbers.
        spec: the shapes.
    """
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
        group_of=_group_of(spec),
        start=collateral,
    )
    markets = len(spec.venue.markets)
    world = World(
        block=jnp.zeros((), jnp.int64),
        exchange=open_exchange(spec.venue, collateral, params.insurance, path[0]),
        chain=chain.open_chain(
            params.chain,
            spec=spec.chain,
            blocks=spec.blocks,
            accounts=spec.venue.accounts,
            groups=len(spec.groups),
        ),
        said=jnp.tile(path[0][:, None], (1, spec.reporters)),
        memories=_memories(whole, params, collateral, spec),
        trends={group.name: views.no_trend(markets) for group in spec.populations},
        heard_us={group.name: nobody_heard(group) for group in spec.populations},
        measures=open_measures(spec.venue.accounts, len(spec.groups)),
        kept=opened(spec.metrics, spec.venue),
    )
    return setting, world


def _endow(whole: Array, params: WorldParams, spec: WorldSpec) -> Array:
    """First collateral of every account, [A] quanta."""
    words = draw_words(whole, Stream.POPULATION, (spec.venue.accounts,))
    drawn = []
    for group in spec.groups:
        money = params.groups[group.name].endowment
        spread = money.collateral_spread_ppm
        drawn.append(log_normal(words[group.rows], money.collateral, spread))
    return jnp.concatenate(drawn)


def _memories(whole: Array, params: WorldParams, collateral: Array, spec: WorldSpec):
    """The drawn members of every group that decides as arrays, by its name."""
    memories = {}
    for group in spec.populations:
        memories[group.name] = group.code.init(
            group.key(whole),
            params.groups[group.name].numbers,
            collateral[group.rows],
            spec=group,
            markets=len(spec.venue.markets),
        )
    return memories


def _group_of(spec: WorldSpec) -> Array:
    numbers = [jnp.full((group.count,), group.number) for group in spec.groups]
    return jnp.concatenate(numbers).astype(jnp.int64)
