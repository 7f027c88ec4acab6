"""The chain of a world from its config: scheme, settlement and faults."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

from agents.family import GroupSpec
from experiments.build.numbers import numbers_of
from experiments.build.populations import target_bits
from experiments.config import Config
from experiments.config.sequencer import SequencerConfig
from market.numbers.units import as_int
from market.types.orders import Kind
from rollup.faults import FAULTS, Fault
from rollup.faults.windows import FaultParams
from rollup.sequencing.composed import Composed
from rollup.sequencing.contract import SequencerParams
from rollup.settlement.stages import BatchParams
from rollup.types import ChainParams, ChainSpec


def chain_spec(config: Config, faults: tuple[Fault, ...]) -> ChainSpec:
    """The shapes of a rollup that may meet such faults."""
    return ChainSpec(
        scheme=config.sequencer.scheme,
        queue=config.sequencer.queue,
        block_txs=config.sequencer.block_txs,
        batch_blocks=config.rollup.batch_blocks,
        faults=faults,
    )


def chain_params(config: Config) -> ChainParams:
    """The numbers of a rollup."""
    return ChainParams(
        sequencer=_sequencer_params(config.sequencer),
        batches=numbers_of(BatchParams, config.rollup),
    )


def kinds_of_faults(configs: Iterable[Config]) -> tuple[Fault, ...]:
    """Our kinds of faults, then those from outside that any of the configs names.

    All points of an experiment share the tuple, so that a fault's kind is a number in
    their parameters and they share one program.
    """
    kinds = dict(FAULTS)
    for config in configs:
        kinds |= {fault.kind: fault.fault for fault in config.faults}
    return tuple(kinds.values())


def fault_params(
    config: Config,
    faults: tuple[Fault, ...],
    slots: int,
    groups: Sequence[GroupSpec],
) -> FaultParams:
    """The faults of a config as arrays [slots]; places left over never strike."""
    rows = [
        {
            "kind": faults.index(fault.fault),
            "start_us": fault.start,
            "duration_us": fault.duration,
            "severity_ppm": fault.severity,
            "targets": target_bits(groups, fault.targets),
            "transactions": sum(
                1 << Kind[name.upper()] for name in set(fault.transactions)
            ),
            "bias_ppm": fault.bias,
            "markets": _market_mask(fault.markets, config.venue.markets),
            "chance_ppm": fault.chance,
            "jitter_us": fault.jitter,
            "spread_ppm": fault.spread,
        }
        for fault in config.faults
    ]
    idle = dict.fromkeys((field.name for field in fields(FaultParams)), 0)
    rows += [idle] * (slots - len(rows))
    return FaultParams(
        **{name: as_int([int(row[name]) for row in rows]) for name in idle}
    )


def _market_mask(named: Sequence[str], markets: Sequence[str]) -> int:
    """One bit for each market that is named; all of them where none is."""
    return sum(1 << markets.index(name) for name in set(named or markets))


def _sequencer_params(section: SequencerConfig) -> SequencerParams:
    """The scheme's numbers: those that all schemes have, and its own."""
    scheme = section.scheme
    if isinstance(scheme, Composed):
        return scheme.numbers(numbers_of(SequencerParams, section))
    return numbers_of(scheme.params, section.numbers, section)
