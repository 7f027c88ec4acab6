"""The engine of the lab: from a config to the world of `agents`, and its results.

Decimals became integers when the config was read; here they find their places. Every
number is a leaf of the parameters; what changes shapes or code is in the spec.
"""

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from agents import run as agents_run
from agents.families import FAMILIES, FAMILY_NUMBERS
from agents.family import Endowment, FamilySpec, Latency
from agents.measure.measures import explain
from agents.measure.metrics import METRICS
from agents.measure.series import SERIES
from agents.world import OracleParams, WorldParams, WorldSpec
from experiments.build.chain import (
    chain_params,
    chain_spec,
    fault_params,
    kinds_of_faults,
)
from experiments.build.venue import build_venue
from experiments.build.venue_numbers import insurance
from experiments.config import Config
from experiments.config.errors import ConfigError
from experiments.config.values import Section, format_decimal
from experiments.engine import Layout, World
from market.numbers.randomness import run_key
from market.numbers.units import PPM, QUANTA_PER_USD, as_int
from market.types.limits import MAX_FIRST_BALANCES, MAX_NOTIONAL
from rollup.faults import Fault
from rollup.faults.windows import draw_windows

__all__ = [
    "METRICS",
    "SERIES",
    "build",
    "explain",
    "fault_windows",
    "layout",
    "simulate",
]

#: Names of a family's numbers that read better in a config than in the code.
_RENAMED = {"deposit_us": "top_up_delay"}
#: Draws of a log-normal stay below the median times exp(this many sigma).
_TAIL_SIGMAS = 5
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
    _check_amounts(config)
    families = _families(config)
    accounts = sum(family.count for family in families)
    venue, venue_params, price_spec, prices = build_venue(config, accounts)
    families = tuple(replace(f, liquidation=venue.liquidation) for f in families)
    block_us = config.world.block_us
    spec = WorldSpec(
        venue=venue,
        chain=chain_spec(config, kinds),
        families=families,
        prices=price_spec,
        blocks=config.world.length,
        block_us=block_us,
        reporters=config.oracle.reporters,
        series_every=config.world.sampling,
    )
    params = WorldParams(
        venue=venue_params,
        chain=chain_params(config),
        families={family.name: _family(config, family.name) for family in families},
        prices=_padded_shocks(prices, shock_slots),
        oracle=OracleParams(
            delay_blocks=as_int(-(-config.oracle.delay // block_us)),
            noise_ppm=as_int(config.oracle.noise),
            own_weight_ppm=as_int(config.oracle.own_weight),
        ),
        faults=fault_params(config, kinds, fault_slots),
        insurance=as_int(insurance(config.venue)),
        guest_collateral=as_int(0),
    )
    return World(spec, params)


def _families(config: Config) -> tuple[FamilySpec, ...]:
    """The families that have members, in order of their accounts."""
    specs, first = [], 0
    for name in FAMILIES:
        count = config.members(name)
        if count:
            specs.append(FamilySpec(name, count, first, FAMILY_NUMBERS[name]))
        first += count
    return tuple(specs)


def _family(config: Config, name: str) -> Any:
    """The numbers of a family, from its section and its place in the network."""
    section, speed = getattr(config.populations, name), getattr(config.network, name)
    return numbers_of(
        _params_class(name),
        section,
        endowment=Endowment(
            collateral=as_int(section.collateral),
            spread_ppm=as_int(section.collateral_spread),
        ),
        latency=Latency(
            think_us=as_int(speed.think),
            median_us=as_int(speed.latency),
            sigma_ppm=as_int(speed.spread),
            data_blocks=as_int(speed.data_blocks),
        ),
    )


def _params_class(name: str) -> type:
    from agents.families import liquidators, makers, searchers, traders, vault

    return {
        "market_makers": makers.MakerParams,
        "leveraged_traders": traders.TraderParams,
        "searchers": searchers.SearcherParams,
        "liquidators": liquidators.LiquidatorParams,
        "vault": vault.VaultParams,
    }[name]


def config_name(field: str, section: type[Section]) -> str | None:
    """The config key of a parameter: its name without the unit."""
    bare = field.removesuffix("_ppm").removesuffix("_us")
    for name in (_RENAMED.get(field), field, bare):
        if name in section.model_fields:
            return name
    return None


def numbers_of(kind: type, section: Section, **given: Any) -> Any:
    """A parameter class filled from the section of the same names."""
    values = {}
    for field in fields(kind):
        if field.name in given:
            values[field.name] = given[field.name]
            continue
        name = config_name(field.name, type(section))
        if name is None:
            raise TypeError(f"{type(section).__name__} has no key for {field.name}")
        values[field.name] = as_int(getattr(section, name))
    return kind(**values)


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


def _check_amounts(config: Config) -> None:
    """Refuses collateral and leverage whose positions could leave the exact range.

    Raises:
        ConfigError: names the keys, what they multiply to, and the bound.
    """
    total = 0
    for name in FAMILIES:
        section, count = getattr(config.populations, name), config.members(name)
        if not count:
            continue
        tail = math.exp(_TAIL_SIGMAS * section.collateral_spread / PPM)
        largest = section.collateral * tail
        key, gearing = _gearing(section)
        position = largest * gearing / PPM
        if position >= MAX_NOTIONAL:
            median = format_decimal(section.collateral, QUANTA_PER_USD)
            spread = format_decimal(section.collateral_spread, PPM)
            raise ConfigError(
                f"populations.{name}: collateral * {key} reaches "
                f"{position / QUANTA_PER_USD:,.0f} USD for the richest member (median "
                f"{median:,} USD, collateral_spread {spread}); a position may be worth "
                f"at most {MAX_NOTIONAL // QUANTA_PER_USD:,} USD"
            )
        total += count * largest
    total += sum(insurance(config.venue))
    if total >= MAX_FIRST_BALANCES:
        raise ConfigError(
            f"populations: all collateral together may reach "
            f"{total / QUANTA_PER_USD:,.0f} USD; at most "
            f"{MAX_FIRST_BALANCES // QUANTA_PER_USD:,} USD keep the ledger exact"
        )


def _gearing(section: Section) -> tuple[str, int]:
    """The key and value, in ppm, of the most that a member multiplies its equity by."""
    for key in ("max_leverage", "leverage", "inventory", "size"):
        if key in type(section).model_fields:
            return key, max(getattr(section, key), PPM)
    return "1", PPM


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
