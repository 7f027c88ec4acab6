"""From the groups of a config to those of a world: seats, numbers, fault targets."""

import math
from collections.abc import Sequence
from dataclasses import replace

from agents.family import Endowment, GroupParams, GroupSpec, Latency
from agents.guests import Guests
from experiments.build.numbers import numbers_of
from experiments.build.venue_numbers import insurance
from experiments.config import Config
from experiments.config.errors import ConfigError
from experiments.config.groups import Group, GuestGroup
from experiments.config.values import Section, format_decimal
from market.numbers.units import PPM, QUANTA_PER_USD
from market.types.limits import MAX_FIRST_BALANCES, MAX_NOTIONAL
from market.types.specs import Liquidation

#: Draws of a log-normal stay below the median times exp(this many sigma).
_TAIL_SIGMAS = 5


def groups_of(config: Config) -> tuple[GroupSpec, ...]:
    """The groups that have members, in order of their accounts."""
    groups: list[GroupSpec] = []
    first = 0
    for name, section in config.populations.items():
        family = section.of if isinstance(section, Group) else None
        count = config.members(name)
        if not count:
            continue
        nth = sum(group.family == family for group in groups)
        groups.append(GroupSpec(family, name, count, first, len(groups), nth))
        first += count
    return tuple(groups)


def vault_of(groups: Sequence[GroupSpec]) -> int:
    """The account of the venue's backstop; -1 without one."""
    return next((g.first for g in groups if g.family and g.family.is_backstop), -1)


def group_params(section: Group | GuestGroup) -> GroupParams:
    """The numbers of a group: its own, its members' money and their latency."""
    money = numbers_of(Endowment, section)
    if isinstance(section, GuestGroup):
        return GroupParams(endowment=money, latency=None, numbers=None)
    return GroupParams(
        endowment=money,
        latency=numbers_of(Latency, section),
        numbers=numbers_of(section.of.params, section),
    )


def guests_of(config: Config) -> tuple[Guests, ...]:
    """The groups of agents in plain Python that have members."""
    return tuple(
        _guests(name, section)
        for name, section in config.guests.items()
        if section.count
    )


def _guests(name: str, section: GuestGroup) -> Guests:
    numbers = {each: getattr(section, each) for each in section.numbers}
    if section.latency is not None:
        numbers["latency_us"] = section.latency
    return Guests(
        kind=section.of,
        count=section.count,
        name=name,
        collateral=section.collateral,
        collateral_spread_ppm=section.collateral_spread,
        numbers=numbers,
    )


def target_bits(groups: Sequence[GroupSpec], targets: Sequence[str]) -> int:
    """One bit for each group that is named, or whose family is."""
    bits = 0
    for group in groups:
        names = {group.name, group.family.name if group.family else ""}
        if names & set(targets):
            bits |= 1 << group.number
    return bits


def check_amounts(config: Config) -> None:
    """Refuses collateral and leverage whose positions could leave the exact range.

    Raises:
        ConfigError: names the keys, what they multiply to, and the bound.
    """
    total = 0
    for name, section in config.populations.items():
        count = config.members(name)
        if not count:
            continue
        money = numbers_of(Endowment, section)
        spread_ppm = int(money.collateral_spread_ppm)
        largest = int(money.collateral) * math.exp(_TAIL_SIGMAS * spread_ppm / PPM)
        key, gearing = _gearing(section)
        position = largest * gearing / PPM
        if position >= MAX_NOTIONAL:
            median = format_decimal(int(money.collateral), QUANTA_PER_USD)
            spread = format_decimal(spread_ppm, PPM)
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


def with_rule(
    groups: Sequence[GroupSpec], liquidation: Liquidation
) -> tuple[GroupSpec, ...]:
    """The groups, told the venue's rule of liquidation, by which keepers act."""
    return tuple(replace(group, liquidation=liquidation) for group in groups)
