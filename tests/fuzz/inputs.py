"""The inputs of every command: sound ones, and damaged ones made of them."""

import gzip
import io
import json
import os
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from experiments import config as configs
from experiments.cli import app
from experiments.cli.boundary import command
from experiments.config.yaml_reader import read_yaml
from experiments.evidence import records
from experiments.evidence.inclusion import Inclusion
from experiments.preparation import prepare
from experiments.results import manifest_file
from rollup.stark.prove.timing import ProvingLaw
from rollup.stark.rules.parameters import StarkParameters
from tests.fuzz.mutations import as_text, damaged, misspelt, retyped

#: A config that has a word in every section, for worlds that need no compiling.
CONFIG = """\
name: fuzz
seed: 5
runs: 3
world: {blocks: 60, block_ms: 1000, series_every: 6}
venue:
  preset: dydx_v4
  markets: [BTC, ETH]
  isolated: [ETH]
  tiers: {ETH: mid_cap}
  taker_fee: 0.05%
  liquidation: {max_portion: 0.5}
  funding: {interval: 40s, sample: 20s}
populations:
  market_makers: {count: 4}
  leveraged_traders: {count: 9, leverage: 5, max_leverage: 20, collateral: 1e4}
  slow: {family: searchers, count: 2, latency: 300ms}
sequencer: {policy: composed, composed: {hold: {take: [5ms, 9ms]}, every: 2s}}
rollup: {batch_blocks: 10, proving: 5s}
prices: {model: crash, figures: 2025-10-10, shocks: [{at: 20s, size: -0.1}]}
oracle: {reporters: 5, quorum: 2, max_age: 30s}
faults:
- {kind: censorship, start: 10s, duration: 5s, targets: [slow], chance: 0.5}
sweep:
  venue.taker_fee: [0.0001, 0.0002]
  day: [{name: a, set: {seed: 1}}, {name: b, set: {oracle.delay: 2s}}]
metrics: [bad_debt, liquidations, conservation_error]
checks: [conservation_error == 0, mean(bad_debt) <= 2 * p95(bad_debt) + 1e6]
plan: {lanes: 4}
""".replace("{seed: 1}", "{oracle.delay: 1s}")
TOY = {
    "name": "toy",
    "seed": 5,
    "runs": 2,
    "world": {"blocks": 12, "series_every": 4},
    "sweep": {"sequencer.policy": ["fcfs", "priority_fee"]},
    "checks": ["conservation_error == 0"],
}
OVERRIDES = [
    "venue.taker_fee=0.1%",
    "prices.model=jump_diffusion",
    "sweep={venue.preset: [dydx_v4, hyperliquid]}",
    "faults=[{kind: sequencer_halt, start: 1s, duration: 2s}]",
    "populations.searchers.count=3",
]
_START = 1_735_689_600
_ORIGIN = records.Origin("ab" * 32, 0, 0)


@dataclass
class Case:
    """One damaged input, and the command that is given it.

    Attributes:
        run: the arguments of the command line; or a function, run as a command is.
        restore: puts back what the case has damaged.
    """

    run: list[str] | Callable[[], Any]
    restore: Callable[[], None]


class Inputs:
    """Sound inputs in a folder, and cases made of them.

    Attributes:
        makers: by kind of input, what makes a case of it.
    """

    def __init__(self, folder: Path, proof: bytes):
        self.folder = folder
        self.out = folder / "out"
        self.proof = proof
        self._begin()
        self.makers: dict[str, Callable[[random.Random], Case]] = {
            "config": self.config,
            "override": self.override,
            "prices": self.prices,
            "law": self.law,
            "pin": self.pin,
            "manifest": self.manifest,
            "part": self.part,
            "table": self.table,
            "record": self.record,
            "proof": self.batch_proof,
            "account": self.account,
        }

    def _begin(self) -> None:
        """Runs a toy experiment, and keeps its parts, a pin and a record."""
        from typer.testing import CliRunner

        path = self.folder / "toy.yaml"
        path.write_text(yaml.safe_dump(TOY, sort_keys=False))
        run = ["run", str(path), "--out", str(self.out), "--workers", "0"]
        pinned = ["check", str(self.out), "--pin", str(self.folder / "pin.json")]
        for arguments in (run, pinned):
            result = CliRunner().invoke(app, arguments)
            assert result.exit_code == 0, result.output
        self.resume = [*run, "--resume"]
        self.files = {p.name: p.read_bytes() for p in self.out.iterdir() if p.is_file()}
        law = ProvingLaw(StarkParameters(), ((12, 1_000_000), (16, 13_000_000)))
        self.sound_law = as_text(law.to_dict())
        self.sound_pin = (self.folder / "pin.json").read_bytes()
        self.sound_record = _record(self.folder / "0-0.npz")

    def case(self, number: int, seed: int) -> tuple[str, Case]:
        """A case by its number: the same one every time."""
        rng = random.Random(f"{seed}/{number}")
        kinds = list(self.makers)
        kind = kinds[number % len(kinds)]
        return kind, self.makers[kind](rng)

    # --- what a config names ------------------------------------------------------

    def config(self, rng: random.Random) -> Case:
        """A config file."""
        if rng.random() < 0.5:
            document = retyped(read_yaml(CONFIG, "").value, rng)
            data = as_text(document)
        else:
            data = rng.choice([misspelt, misspelt, damaged])(CONFIG.encode(), rng)
        return self._prepared("study.yaml", data)

    def override(self, rng: random.Random) -> Case:
        """What is given by ``--set``."""
        data = misspelt(rng.choice(OVERRIDES).encode(), rng)
        text = data.decode("utf-8", "surrogateescape").replace("\0", "")
        return Case(lambda: prepare(configs.load("smoke", [text])), _nothing)

    def prices(self, rng: random.Random) -> Case:
        """A price file, of some layout, packed or not."""
        shape = rng.choice(_LAYOUTS)
        rows = [shape.format(_START + 60 * n, 100 + n) for n in range(4)]
        data = "\n".join(rows).encode()
        data = rng.choice([misspelt, damaged])(data, rng)
        pack = rng.choice([bytes, bytes, gzip.compress, _zipped, _wide])
        data = pack(data)
        if rng.random() < 0.3:
            data = damaged(data, rng)
        (self.folder / "p.csv").write_bytes(data)
        gaps = rng.choice(["refuse", "hold", "interpolate"])
        prices = f"{{model: replay, file: p.csv, gaps: {gaps}}}"
        text = f"world: {{blocks: 90}}\nprices: {prices}\n"
        return self._prepared("replay.yaml", text.encode())

    def law(self, rng: random.Random) -> Case:
        """A law of proving times."""
        (self.folder / "law.json").write_bytes(_json(self.sound_law, rng))
        return self._prepared("law.yaml", b"rollup: {proving_law: law.json}\n")

    def _prepared(self, name: str, data: bytes) -> Case:
        path = self.folder / name
        path.write_bytes(data)
        return Case(lambda: prepare(configs.load(str(path))), _nothing)

    # --- what a run left ----------------------------------------------------------

    def pin(self, rng: random.Random) -> Case:
        """A pin."""
        path = self.folder / "moved.json"
        path.write_bytes(_json(self.sound_pin, rng))
        return Case(["check", str(self.out), "--against", str(path)], self._restore)

    def manifest(self, rng: random.Random) -> Case:
        """The manifest of a run, whose digest may hold again after the damage."""
        data = _json(self.files[manifest_file.NAME], rng)
        if rng.random() < 0.6:
            data = _signed(data)
        (self.out / manifest_file.NAME).write_bytes(data)
        return Case(self._reader(rng), self._restore)

    def part(self, rng: random.Random) -> Case:
        """The part of a run that is not finished."""
        manifest = json.loads(self.files[manifest_file.NAME])
        manifest |= {"status": "running", "tables": {}}
        (self.out / manifest_file.NAME).write_bytes(_signed(as_text(manifest)))
        folder = self.out / "parts" / "0123456789abcdef"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("runs.parquet", "series.parquet"):
            (self.out / name).unlink(missing_ok=True)
            (folder / name).write_bytes(damaged(self.files[name], rng))
        return Case(["check", str(self.out)], self._restore)

    def table(self, rng: random.Random) -> Case:
        """A table of a finished run."""
        name = rng.choice(["runs.parquet", "series.parquet", "checks.json"])
        (self.out / name).write_bytes(damaged(self.files[name], rng))
        return Case(self._reader(rng), self._restore)

    def _reader(self, rng: random.Random) -> list[str]:
        name = rng.choice(["check", "check", "report", "replay"])
        # A run that there is none of: a real one would compile a world.
        more = ["--run", "99"] if name == "replay" else []
        return [name, str(self.out), *more]

    def _restore(self) -> None:
        import shutil

        shutil.rmtree(self.out)
        self.out.mkdir()
        for name, data in self.files.items():
            (self.out / name).write_bytes(data)

    # --- evidence -----------------------------------------------------------------

    def record(self, rng: random.Random) -> Case:
        """The record of a run."""
        path = self.folder / "moved.npz"
        path.write_bytes(damaged(self.sound_record, rng))
        return Case(lambda: records.load_record(path, _ORIGIN), _nothing)

    def batch_proof(self, rng: random.Random) -> Case:
        """The proof of a batch."""
        return self._verified(rng.choice([damaged, misspelt])(self.proof, rng))

    def account(self, rng: random.Random) -> Case:
        """An account under a root."""
        words = [3, 10, 0, 0, 5, -7]
        shown = Inclusion("ab" * 32, 0, 0, 2, "ab" * 32, 4, words, "00" * 200)
        return self._verified(_json(shown.to_json().encode(), rng))

    def _verified(self, data: bytes) -> Case:
        path = self.folder / "moved.proof"
        path.write_bytes(data)
        return Case(["verify", str(path)], _nothing)


_LAYOUTS = [
    "{0}000,{1},{1}.5,{1},{1}.5,9,{0}999,1,2,3,4,0",
    "{0},{1},{1}.5,{1},{1}.5,9,5",
    "{0};{1};{1}.5;{1};{1}.5;9",
    "BTC,{0}000000,{1},{1}.5,{1},{1}.5",
]


def as_app(function: Callable[[], Any]):
    """A command line of one command, behind the boundary of all commands."""
    import typer

    single = typer.Typer(pretty_exceptions_enable=False)

    def run() -> None:
        function()

    single.command()(command(run))
    return single


def _nothing() -> None:
    """There is nothing to put back."""


def _json(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.6:
        return as_text(retyped(json.loads(data), rng))
    return rng.choice([damaged, misspelt])(data, rng)


def _signed(data: bytes) -> bytes:
    """A manifest with the digest of whatever it holds."""
    try:
        manifest = json.loads(data)
        manifest["digest"] = manifest_file._digest_of(manifest)
    except (ValueError, TypeError, RecursionError):
        return data
    return as_text(manifest)


def _zipped(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p.csv", data)
    return packed.getvalue()


def _wide(data: bytes) -> bytes:
    return data.decode("latin-1").encode("utf-16")


class _Zeros(dict):
    """Small arrays under every name of a record."""

    def __missing__(self, name: str) -> np.ndarray:
        return np.zeros((2, 3), np.int64)


def _record(path: Path) -> bytes:
    from rollup.replay import Record

    record = records._nested(Record, _Zeros(), "")
    records.save_record(path, record, "00" * 32, _ORIGIN)
    return path.read_bytes()


def use_toy() -> None:
    """Runs of this process are the toy's."""
    os.environ["SHAKEOUT_ENGINE"] = "tests.experiments.toy_engine"
