"""The sections of a config on the sequencer, the rollup, the network and faults."""

# pyright: reportInvalidTypeForm=false

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from experiments.config.plugins import SCHEME, named
from experiments.config.values import (
    Section,
    Share,
    duration,
    ratio,
    usd,
    whole,
    wrong_value,
)

_Length = duration("0s")
Family = Literal[
    "market_makers", "leveraged_traders", "searchers", "liquidators", "vault"
]
Transaction = Literal[
    "order", "cancel", "cancel_all", "replace", "liquidate", "deposit", "withdraw"
]


class SequencerConfig(Section):
    """Who orders transactions, and how."""

    policy: named(SCHEME) = Field(default="fcfs", description="ordering scheme")
    gas_fee: usd(0, 1000) = Field(
        default=0.01, description="of each included transaction"
    )
    min_fee_bid: usd(0, 1000) = Field(default=0, description="bids below count as this")
    queue: whole(16, 4096) = Field(default=1024, description="capacity of the mempool")
    block_txs: whole(1, 4096) = Field(
        default=256, description="transactions of a block"
    )

    @model_validator(mode="after")
    def _block_fits(self) -> "SequencerConfig":
        if self.block_txs > self.queue:
            raise wrong_value(
                f"block_txs = {self.block_txs}: must be at most queue = {self.queue}"
            )
        return self


class RollupConfig(Section):
    """From a block to settlement."""

    batch_blocks: whole(1, 1_000_000) = Field(
        default=60, description="blocks of a batch"
    )
    posting: duration("0s", "7d") = Field(
        default="12s", description="of a batch's data"
    )
    proving: duration("0s", "7d") = Field(default="30s", description="of a batch")
    proving_tx: duration("0s", "1h") = Field(
        default="1ms", description="more, per transaction"
    )
    proving_law: str | None = Field(
        default=None,
        description="file of `shakeout law`: sets the two above",
    )
    settling: duration("0s", "30d") = Field(
        default="24s", description="of a proven batch"
    )
    prove: bool = Field(
        default=False, description="really prove batches, after the runs"
    )
    prove_runs: Annotated[list[whole(0)], Field(max_length=1024)] = Field(
        default=[0],
        description="numbers of the runs whose batches are proven, of every point",
    )
    prove_every: whole(1, 1_000_000) = Field(
        default=1, description="of so many batches, one"
    )
    throttle_backlog: whole(0, 1_000_000) = Field(
        default=3,
        description="unposted batches from which blocks are throttled; 0: never",
    )
    throttle: Share = Field(
        default=0.25, description="room that is left in a block then"
    )

    @model_validator(mode="after")
    def _take_law(self) -> "RollupConfig":
        if self.proving_law is not None:
            from experiments.config.proving_time import read_law

            law = read_law(Path(self.proving_law))
            object.__setattr__(self, "proving", law.batch_us)
            object.__setattr__(self, "proving_tx", law.tx_us)
        return self


class FamilyNetwork(Section):
    """How fast a family is."""

    latency: duration("0s", "1h") = Field(description="median way to the sequencer")
    spread: ratio(0, 3) = Field(default=0.5, description="sigma of its logarithm")
    think: duration("0s", "1h") = Field(
        default="800ms",
        description="decisions are sent within this after a block starts",
    )
    data_blocks: whole(0, 16) = Field(
        default=0, description="age of the outside price seen"
    )


def _speed(latency: str, think: str = "800ms", data_blocks: int = 0) -> FamilyNetwork:
    return FamilyNetwork(latency=latency, think=think, data_blocks=data_blocks)  # type: ignore[arg-type]


class NetworkConfig(Section):
    """Latency of each family."""

    market_makers: FamilyNetwork = _speed("5ms", "300ms")
    leveraged_traders: FamilyNetwork = _speed("80ms", "900ms", 1)
    searchers: FamilyNetwork = _speed("3ms", "500ms")
    liquidators: FamilyNetwork = _speed("10ms", "500ms")
    vault: FamilyNetwork = _speed("5ms", "300ms")


class FaultConfig(Section):
    """A part of the rollup or its oracle that works less, or not at all, for a while.

    The severity of an oracle fault is the share of the reporters that it strikes: the
    nearest whole number of them, the first ones.
    """

    kind: Literal[
        "sequencer_halt",
        "censorship",
        "da_outage",
        "prover_delay",
        "oracle_manipulation",
        "oracle_stuck",
        "oracle_silence",
    ]
    start: _Length = Field(description="time since the start of the run")
    duration: _Length = Field(description="its median, where it is random")
    severity: ratio(0, 1) = Field(default=1, description="1 is total")
    targets: list[Family] = Field(default=[], description="censored families")
    transactions: list[Transaction] = Field(
        default=[], description="censored transactions"
    )
    bias: ratio(-0.99, 100) = Field(
        default=0, description="of manipulated reports, signed"
    )
    markets: list[str] = Field(
        default=[], description="whose oracle fails; all if empty"
    )
    chance: Share = Field(default=1, description="that it happens in a run")
    jitter: _Length = Field(
        default="0s", description="the start is later by up to this"
    )
    spread: ratio(0, 3) = Field(
        default=0, description="sigma of the log duration; 0 is exact"
    )

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "FaultConfig":
        named = bool(self.targets or self.transactions)
        if self.kind == "censorship" and not named:
            raise wrong_value("censorship needs targets, transactions or both")
        if self.kind != "censorship" and named:
            raise wrong_value(f"{self.kind} has no targets and no transactions")
        if self.kind == "oracle_manipulation" and self.bias == 0:
            raise wrong_value("oracle_manipulation needs a bias other than 0")
        if self.kind != "oracle_manipulation" and self.bias != 0:
            raise wrong_value(f"{self.kind} has no bias")
        if self.markets and not self.kind.startswith("oracle_"):
            raise wrong_value(f"{self.kind} has no markets: it strikes all of them")
        return self


Faults = Annotated[list[FaultConfig], Field(max_length=64)]
