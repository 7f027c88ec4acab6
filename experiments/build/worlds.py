"""The engine of the lab: from a config to the world of `agents`, and its results.

Decimals became integers when the config was read; here they find their places. Every
number is a leaf of the parameters; what changes shapes or code is in the spec.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from agents import run as agents_run
from agents.measure.contract import Metric
from agents.measure.metrics import metrics_of
from agents.measure.series import SERIES
from agents.measure.soundness import explain
from agents.world import OracleParams, WorldParams, WorldSpec, check_lots
from experiments.build import footprint
from experiments.build.chain import (
    chain_params,
    chain_spec,
    fault_params,
    kinds_of_faults,
)
from experiments.build.guests import simulate_guests
from experiments.build.populations import (
    check_amounts,
    group_params,
    groups_of,
    guests_of,
    vault_of,
    with_rule,
)
from experiments.build.venue import build_venue
from experiments.build.venue_numbers import insurance
from experiments.config import Config
from experiments.config.errors import ConfigError
from experiments.config.plugins import METRIC, is_path, resolve
from experiments.engine import Layout, World
from market.numbers.randomness import run_key
from market.numbers.units import as_int
from rollup.faults import Fault
from rollup.faults.windows import draw_windows

__all__ = [
    "SERIES",
    "build",
    "explain",
    "fault_windows",
    "lane_bytes",
    "layout",
    "metrics",
    "simulate",
    "simulate_guests",
]

#: Shocks that pad a shorter list strike after the end of any run and change nothing.
_NEVER_US = 1 << 50


def build(configs: Sequence[Config]) -> list[World]:
    """The world of every point of a sweep.

    Points that have fewer faults or shocks than others get idle ones, so that all
    share one compiled program.

    Raises:
        ConfigError: a point cannot be built; the message says which number is wrong.
    """
    fault_slots = max(len(config.faults) for config in configs)
    shock_slots = max(len(config.prices.shocks) for config in configs)
    kinds = kinds_of_faults(configs)
    return [_world(config, kinds, fault_slots, shock_slots) for config in configs]


def _world(
    config: Config, kinds: tuple[Fault, ...], fault_slots: int, shock_slots: int
) -> World:
    check_amounts(config)
    groups = groups_of(config)
    accounts = sum(group.count for group in groups)
    venue, venue_params, price_spec, prices = build_venue(
        config, accounts, vault_of(groups)
    )
    groups = with_rule(groups, venue.liquidation)
    block_us = config.world.block_us
    try:
        spec = WorldSpec(
            venue=venue,
            chain=chain_spec(config, kinds),
            groups=groups,
            prices=price_spec,
            blocks=config.world.length,
            block_us=block_us,
            reporters=config.oracle.reporters,
            series_every=config.world.sampling,
            metrics=own_metrics(config),
        )
        check_lots(spec, venue_params)
    except ValueError as error:
        raise ConfigError(f"the world cannot be built: {error}") from None
    params = WorldParams(
        venue=venue_params,
        chain=chain_params(config),
        groups={
            group.name: group_params(config.populations[group.name]) for group in groups
        },
        prices=_padded_shocks(prices, shock_slots),
        oracle=OracleParams(
            delay_blocks=as_int(-(-config.oracle.delay // block_us)),
            noise_ppm=as_int(config.oracle.noise),
            own_weight_ppm=as_int(config.oracle.own_weight),
        ),
        faults=fault_params(config, kinds, fault_slots, groups),
        insurance=as_int(insurance(config.venue)),
    )
    return World(spec, params, guests_of(config))


def own_metrics(config: Config) -> tuple[Metric, ...]:
    """The metrics that the config names by import path."""
    return tuple(resolve(name, METRIC) for name in config.metrics if is_path(name))


def metrics(worlds: Sequence[World]) -> Mapping[str, Metric]:
    """Every metric of any of the worlds by name, in the order of their columns.

    Raises:
        ConfigError: two metrics have one name.
    """
    found: dict[str, Metric] = {}
    for world in worlds:
        try:
            found |= metrics_of(world.spec)
        except ValueError as error:
            raise ConfigError(f"metrics: {error}") from None
    return found


def _padded_shocks(prices, slots: int):
    shocks = prices.shocks
    missing = slots - shocks.at_us.shape[0]
    if missing == 0:
        return prices
    return replace(
        prices,
        shocks=replace(
            shocks,
            at_us=as_int(np.append(shocks.at_us, [_NEVER_US] * missing)),
            size_ppm=as_int(np.append(shocks.size_ppm, [0] * missing)),
        ),
    )


def layout(config: Config) -> Layout:
    """How to read the integers of a point's results."""
    from market import venues as presets

    grids = [presets.LISTINGS.get(m, presets.GENERIC) for m in config.venue.markets]
    return Layout(
        markets=tuple(config.venue.markets),
        tick_usd=tuple(float(grid.tick_usd) for grid in grids),
        block_s=config.world.block_us / 1e6,
        blocks=config.world.length,
        series_every=config.world.sampling,
    )


def lane_bytes(world: World) -> int:
    """Bytes of memory that one run of a world takes, about."""
    return footprint.lane_bytes(world.spec)


def fault_windows(world: World, seed: int, runs: int) -> list[dict[str, int | str]]:
    """The faults of the first ``runs`` runs as they strike, random ones included."""
    import jax

    faults, kinds = world.params.faults, world.spec.chain.faults
    draw = jax.vmap(lambda run: draw_windows(run_key(seed, run), faults))
    windows = jax.device_get(draw(np.arange(runs)))
    return [
        {
            "run": run,
            "kind": kinds[int(windows.kind[run, fault])].name,
            "start_us": int(windows.start_us[run, fault]),
            "end_us": int(windows.end_us[run, fault]),
        }
        for run, fault in np.ndindex(windows.kind.shape)
        if windows.end_us[run, fault] > windows.start_us[run, fault]
    ]


def simulate(runs: Any, seed: Any, params: WorldParams, *, spec: WorldSpec) -> Any:
    """Runs [R] of the worlds ``params`` [R, ...]; traceable."""
    import jax.numpy as jnp

    seeds = jnp.broadcast_to(jnp.asarray(seed, jnp.int64), runs.shape)
    return agents_run.simulate(seeds, runs, params, spec=spec)
