"""Which numbers of a preset a config may override, and where their keys stand."""

from collections.abc import Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, NamedTuple

from experiments.config import Config
from experiments.config.errors import ConfigError
from experiments.config.values import format_duration
from experiments.config.world import VenueConfig
from market.numbers.declared import key_of
from market.numbers.units import as_int
from market.types.specs import VenueParams

V4, STARKEX, HYPERLIQUID = "dydx_v4", "starkex", "hyperliquid"
_ALL = (V4, STARKEX, HYPERLIQUID)
_TIERED, _CLAMPED = (V4, HYPERLIQUID), (V4, STARKEX)


class Number(NamedTuple):
    """A number of a preset.

    Attributes:
        presets: whose rules have it; elsewhere it would have no effect.
        per_market: whether the parameter has one for each market.
    """

    presets: tuple[str, ...] = _ALL
    per_market: bool = False


#: By key of the section `venue`; `parameter_of` says which parameter each gives.
NUMBERS: Mapping[str, Number] = {
    "maker_fee": Number(),
    "taker_fee": Number(),
    "price_band": Number(per_market=True),
    "initial_margin": Number(per_market=True),
    "maintenance_fraction": Number(_TIERED, True),
    "risk_factor": Number((STARKEX,), True),
    "liquidation.bankruptcy_adjustment": Number((V4,)),
    "liquidation.spread_to_maintenance": Number((V4,)),
    "liquidation.max_fee": Number(_CLAMPED),
    "liquidation.liquidator_reward": Number(_CLAMPED),
    "liquidation.min_notional": Number(_TIERED),
    "liquidation.max_portion": Number(_TIERED),
    "liquidation.max_notional": Number((V4,)),
    "liquidation.cooldown": Number((HYPERLIQUID,)),
    "funding.clamp": Number(_CLAMPED),
    "funding.premium_clamp": Number(_CLAMPED),
    "funding.default_rate": Number(_CLAMPED, True),
}
#: Keys that give no number of the rules, and who has them.
_OTHERS = {"tiers": (V4,), "insurance": _CLAMPED, "isolated_insurance": _CLAMPED}
#: Insurance fund at the start, quanta: the lab's own; Hyperliquid has none.
_INSURANCE = {V4: 250_000_000_000, STARKEX: 250_000_000_000, HYPERLIQUID: 0}
#: Length of a premium sample, microseconds.
_SAMPLE = {V4: 60_000_000, STARKEX: 60_000_000, HYPERLIQUID: 5_000_000}


def parameter_of(key: str) -> str:
    """The field of `VenueParams` that a key of the section `venue` gives.

    It has the key's own name, with that of its section before it where the key alone
    would not say enough, and the suffix of its unit behind.

    Raises:
        KeyError: there is none, or more than one.
    """
    names = (key.replace(".", "_"), key.rpartition(".")[2])
    found = [field.name for field in fields(VenueParams) if key_of(field.name) in names]
    if len(found) != 1:
        raise KeyError(f"{key}: {found or 'no parameter'} of VenueParams")
    return found[0]


def presets_by_key() -> dict[str, tuple[str, ...]]:
    """The keys of the section `venue` by the presets that have them."""
    having = {key: number.presets for key, number in NUMBERS.items()}
    return {**having, **_OTHERS}


def check_keys(venue: VenueConfig) -> None:
    """Refuses numbers that the preset's rules do not have.

    Raises:
        ConfigError: names each key, and the presets that have it.
    """
    having = presets_by_key()
    given = [key for key in NUMBERS if attrgetter(key)(venue) is not None]
    given += [key for key in _OTHERS if getattr(venue, key)]
    problems = [
        f"venue.{key}: preset {venue.preset} has no such number; "
        f"{' and '.join(having[key])} {'have' if len(having[key]) > 1 else 'has'}"
        for key in given
        if venue.preset not in having[key]
    ]
    if problems:
        raise ConfigError(problems)


def overridden(venue: VenueConfig, markets: int) -> dict[str, Any]:
    """The parameters that the config gives instead of the preset."""
    changed = {}
    for key, number in NUMBERS.items():
        value = attrgetter(key)(venue)
        if value is not None:
            rows = [value] * markets if number.per_market else value
            changed[parameter_of(key)] = as_int(rows)
    return changed


def insurance(venue: VenueConfig) -> list[int]:
    """The insurance funds at the start, in quanta: the shared one, then by market.

    A market that is not isolated has none of its own.
    """
    shared = _INSURANCE[venue.preset] if venue.insurance is None else venue.insurance
    own = venue.isolated_insurance
    return [shared, *(own if name in venue.isolated else 0 for name in venue.markets)]


def funding_clock(config: Config) -> dict[str, int]:
    """Samples and payments in blocks.

    Raises:
        ConfigError: the interval is no whole number of the preset's samples.
    """
    venue, block_us = config.venue, config.world.block_us
    funding = venue.funding
    sample = _SAMPLE[venue.preset] if funding.sample is None else funding.sample
    if funding.interval % sample:
        raise ConfigError(
            f"venue.funding.interval = {format_duration(funding.interval)}: must be a "
            f"whole number of samples, of {format_duration(sample)} each"
        )
    votes = max(1, sample // block_us)
    samples = funding.interval // sample
    interval = votes * samples
    first = funding.interval if funding.first is None else funding.first
    blocks_to_first = min(max(1, first // block_us), interval)
    return {
        "votes_per_sample": votes,
        "samples_per_funding": samples,
        "funding_offset_blocks": interval - blocks_to_first,
    }
