"""`shakeout prove`, `shakeout verify` and `shakeout law`."""

from pathlib import Path
from typing import Annotated

import typer

from experiments import environment
from experiments.errors import ConfigError


def prove(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="a run directory")],
    batch: Annotated[
        int, typer.Option(metavar="K", min=0, help="number of the batch, from 0")
    ],
    run: Annotated[int, typer.Option(metavar="R", min=0, help="number of the run")] = 0,
    point: Annotated[
        int, typer.Option(metavar="P", min=0, help="number of the sweep point")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="instead of RUN_DIR/proofs/")
    ] = None,
) -> None:
    """Proves one batch of a run; exit 1 where it cannot be proven."""
    environment.prepare()
    from experiments import proving, runner
    from experiments.engine import DEFAULT_ENGINE
    from experiments.replays import experiment_of
    from experiments.store import Store

    manifest = Store(run_dir).read_manifest()
    worlds = runner.prepare(experiment_of(manifest), DEFAULT_ENGINE).worlds
    if point >= len(worlds) or run >= manifest["runs"]:
        raise ConfigError(
            f"{run_dir}: points are 0 to {len(worlds) - 1}, "
            f"runs 0 to {manifest['runs'] - 1}"
        )
    count = proving.batches_of(worlds[point])
    if batch >= count:
        raise ConfigError(f"--batch {batch}: the run has {count} whole batches, from 0")
    (result,) = proving.prove_run(worlds[point], manifest["seed"], run, [batch])
    if result.data is None:
        print(f"batch {batch}, {result.updates} updates: no proof: {result.reason}")
        raise typer.Exit(1)
    path = out or proving.proof_path(run_dir, point, run, batch)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(result.data)
    print(
        f"batch {batch}, {result.updates} updates: {len(result.data):,} bytes in "
        f"{result.seconds:.1f} s: {path}"
    )


def verify(
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="a proof file")],
) -> None:
    """Checks a proof in plain Python; exit 1 where it is refused."""
    from rollup.stark import files, verifier

    try:
        data, public = files.read(proof)
    except files.ProofFileError as problem:
        print(f"refused: {proof}: {problem}")
        raise typer.Exit(1) from None
    except OSError as problem:
        raise ConfigError(f"{proof}: {problem.strerror}") from None
    verdict = verifier.verify(data, public)
    if not verdict.ok:
        print(f"refused: {verdict.reason}")
        raise typer.Exit(1)
    print(f"accepted: batch {public.batch}, {public.updates} position updates")
    print(f"  old root    {_root(public.old_root)}")
    print(f"  new root    {_root(public.new_root)}")
    print(f"  segments    {len(public.segments)}, at the prices (in ticks)")
    for segment in (public.segments[0], public.segments[-1]):
        print(f"              {', '.join(map(str, segment.prices))}")
    print(f"  net deposit {public.net_deposit:,} quanta")
    print(f"  allowance   {public.allowance:,} quanta beyond the margin rule")


def law(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="written as JSON")],
) -> None:
    """Times the prover here, for `rollup.proving_law`; takes minutes."""
    environment.prepare()
    from experiments.law import measure

    line = measure(file)
    print(
        f"{file}: {line.batch_us / 1e6:.2f} s a batch and "
        f"{line.tx_us / 1e3:.2f} ms a transaction"
    )


def _root(words: tuple[int, ...]) -> str:
    return "".join(f"{word:08x}" for word in words)
