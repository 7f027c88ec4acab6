"""Keys that contradict each other, or that say something which cannot happen.

Each key of a config is valid by itself before these are asked. What one of them makes
of another without a word (a leverage above the largest that is allowed, a fault that
starts after the run's end) would be run as something else than what is written, so it
is refused, with both keys.

What merely says nothing (a fault of no length) is refused as well, except at a point
whose own axis sets the key: there it is the base that the others are compared with.
"""

from collections.abc import Iterator
from typing import NamedTuple

from experiments.config.errors import Path
from experiments.config.faults import FaultConfig
from experiments.config.groups import Group, GuestGroup
from experiments.config.schema import Config
from experiments.config.values import format_decimal, format_duration
from market.numbers.units import PPM, QUANTA_PER_USD


class Problem(NamedTuple):
    """Something that a config says in vain.

    Attributes:
        key: where it says so.
        text: what, after the key's name and value, and what to do.
        idle: it says nothing, rather than something else than is written.
    """

    key: Path
    text: str
    idle: bool = False


def problems_of(config: Config) -> Iterator[Problem]:
    """Everything that the config of a point says in vain."""
    end = config.world.length * config.world.block_us
    yield from _populations(config)
    yield from _venue(config)
    yield from _oracle(config, end)
    yield from _prices(config, end)
    yield from _rollup(config)
    for number, fault in enumerate(config.faults):
        yield from _fault(config, number, fault, end)


def _populations(config: Config) -> Iterator[Problem]:
    for name, group in config.populations.items():
        place = ("populations", name)
        if isinstance(group, GuestGroup):
            if group.count and not group.collateral:
                yield Problem(
                    (*place, "collateral"),
                    f"0, with {group.count} members: their orders would all be "
                    "refused for want of money; give them some, or no members",
                )
            continue
        yield from _leverage(place, group)


def _leverage(place: Path, group: Group) -> Iterator[Problem]:
    fields = type(group).model_fields
    if not {"leverage", "max_leverage"} <= set(fields) or not group.count:
        return
    median, most = (getattr(group, key) for key in ("leverage", "max_leverage"))
    if median > most:
        yield Problem(
            (*place, "leverage"),
            f"{format_decimal(median, PPM)}: must be at most max_leverage = "
            f"{format_decimal(most, PPM)}, which would cut it without a word",
        )


def _venue(config: Config) -> Iterator[Problem]:
    venue, block_us = config.venue, config.world.block_us
    limits = venue.liquidation
    if limits.min_notional is not None and limits.max_notional is not None:
        if limits.min_notional > limits.max_notional:
            yield Problem(
                ("venue", "liquidation", "min_notional"),
                f"{format_decimal(limits.min_notional, QUANTA_PER_USD):,}: must be at "
                "most venue.liquidation.max_notional = "
                f"{format_decimal(limits.max_notional, QUANTA_PER_USD):,}",
            )
    if venue.risk_factor is not None and venue.initial_margin is not None:
        if venue.initial_margin < venue.risk_factor:
            yield Problem(
                ("venue", "initial_margin"),
                f"{format_decimal(venue.initial_margin, PPM)}: must be at least "
                f"venue.risk_factor = {format_decimal(venue.risk_factor, PPM)}, or "
                "every new position could be liquidated at once",
            )
    if venue.funding.sample is not None and venue.funding.sample < block_us:
        yield Problem(
            ("venue", "funding", "sample"),
            f"{format_duration(venue.funding.sample)}: must be at least a block, "
            f"world.block_ms = {config.world.block_ms}",
        )
    breaker = venue.circuit_breaker
    if breaker.move and breaker.window < block_us:
        yield Problem(
            ("venue", "circuit_breaker", "window"),
            f"{format_duration(breaker.window)}: must be at least a block, "
            f"world.block_ms = {config.world.block_ms}, or no move is seen in it",
        )


def _oracle(config: Config, end: int) -> Iterator[Problem]:
    if config.oracle.delay >= end:
        yield Problem(
            ("oracle", "delay"),
            f"{format_duration(config.oracle.delay)}: must be shorter than the run, "
            f"world.duration = {format_duration(end)}, or it sees the first price only",
        )


def _prices(config: Config, end: int) -> Iterator[Problem]:
    for number, shock in enumerate(config.prices.shocks):
        place = ("prices", "shocks", number)
        if shock.at >= end:
            yield Problem(
                (*place, "at"),
                f"{format_duration(shock.at)}: the run ends at {format_duration(end)} "
                "(world.blocks or world.duration), so it never strikes",
            )
        if not shock.size:
            yield Problem((*place, "size"), "0: changes nothing; remove it", idle=True)


def _rollup(config: Config) -> Iterator[Problem]:
    rollup = config.rollup
    if not rollup.prove:
        return
    for number, run in enumerate(rollup.prove_runs):
        if run >= config.runs:
            yield Problem(
                ("rollup", "prove_runs", number),
                f"{run}: must be below runs = {config.runs}",
            )
    if rollup.batch_blocks > config.world.length:
        yield Problem(
            ("rollup", "prove"),
            f"true: the run's {config.world.length} blocks (world.blocks) hold no "
            f"whole batch of rollup.batch_blocks = {rollup.batch_blocks}",
        )


def _fault(
    config: Config, number: int, fault: FaultConfig, end: int
) -> Iterator[Problem]:
    place = ("faults", number)
    if fault.start >= end:
        yield Problem(
            (*place, "start"),
            f"{format_duration(fault.start)}: the run ends at {format_duration(end)} "
            "(world.blocks or world.duration), so it never strikes",
        )
    for key in ("duration", "severity", "chance"):
        if not getattr(fault, key):
            yield Problem(
                (*place, key), "0: it never strikes; remove the fault", idle=True
            )
    yield from _struck(config, place, fault)


def _struck(config: Config, place: Path, fault: FaultConfig) -> Iterator[Problem]:
    """Faults that strike nobody."""
    reporters = config.oracle.reporters
    share = fault.severity * reporters
    if fault.kind.startswith("oracle_") and fault.severity and 2 * share < PPM:
        yield Problem(
            (*place, "severity"),
            f"{format_decimal(fault.severity, PPM)}: is less than half of one of "
            f"oracle.reporters = {reporters}, so it strikes none of them",
        )
    members = [
        config.members(name)
        for name, group in config.populations.items()
        if {name, group.of.name if isinstance(group, Group) else ""}
        & set(fault.targets)
    ]
    if fault.targets and not fault.transactions and not sum(members):
        yield Problem(
            (*place, "targets"),
            f"{', '.join(fault.targets)}: none of them has members "
            "(populations.….count), so it strikes nobody",
            idle=True,
        )
