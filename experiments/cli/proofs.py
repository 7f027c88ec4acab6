"""`shakeout prove`, `shakeout verify`, `shakeout inclusion` and `shakeout law`."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.common import RunDir
from experiments.config.errors import ConfigError
from experiments.config.files import check_place, told

Batch = Annotated[
    int, typer.Option(metavar="K", min=0, help="number of the batch, from 0")
]
Run = Annotated[int, typer.Option(metavar="R", min=0, help="number of the run")]
Point = Annotated[
    int, typer.Option(metavar="P", min=0, help="number of the sweep point")
]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE", help="instead of RUN_DIR/proofs/")
]


def _world_of(run_dir: Path, point: int, run: int, batch: int):
    """The world of a finished run that has this batch, its seed and its origin."""
    from experiments.engine import DEFAULT_ENGINE, load_engine
    from experiments.evidence import proving
    from experiments.manifests import experiment_of
    from experiments.results.store import Store
    from rollup.stark.verify.files import Origin

    manifest = Store(run_dir).read_manifest()
    worlds = load_engine(DEFAULT_ENGINE).build(experiment_of(manifest).configs)
    if point >= len(worlds) or run >= manifest["runs"]:
        raise ConfigError(
            f"{run_dir}: points are 0 to {len(worlds) - 1}, "
            f"runs 0 to {manifest['runs'] - 1}"
        )
    count = proving.batches_of(worlds[point])
    if batch >= count:
        raise ConfigError(f"--batch {batch}: the run has {count} whole batches, from 0")
    return worlds[point], manifest["seed"], Origin(manifest["config_hash"], point, run)


def _write(path: Path, data: bytes) -> None:
    from experiments.results.files import write_bytes

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
    except OSError as problem:
        raise ConfigError(told(problem, path)) from None


def prove(
    run_dir: RunDir, batch: Batch, run: Run = 0, point: Point = 0, out: Out = None
) -> None:
    """Proves one batch of a run; exit 1 where it cannot be proven."""
    if out is not None:
        check_place(out)
    world, seed, origin = _world_of(run_dir, point, run, batch)
    from experiments.evidence import proving

    (result,) = proving.prove_run(world, seed, origin, [batch])
    what = f"batch {batch}, {result.updates} updates in {result.segments} segments"
    if result.data is None:
        print(f"{what}: no proof: {result.reason}")
        raise typer.Exit(1)
    path = out or proving.proof_path(run_dir, point, run, batch)
    _write(path, result.data)
    print(f"{what}: {len(result.data):,} bytes in {result.seconds:.1f} s: {path}")


def inclusion(
    run_dir: RunDir,
    batch: Batch,
    account: Annotated[int, typer.Option(metavar="A", min=0, help="number of it")],
    run: Run = 0,
    point: Point = 0,
    out: Out = None,
) -> None:
    """Shows what an account has under the root of a batch: the start of an escape."""
    if out is not None:
        check_place(out)
    world, seed, origin = _world_of(run_dir, point, run, batch)
    from experiments.evidence.inclusion import include
    from experiments.evidence.proving import FOLDER

    accounts = world.spec.venue.accounts
    if account >= accounts:
        raise ConfigError(f"--account {account}: accounts are 0 to {accounts - 1}")
    shown = include(world, seed, origin, batch, account)
    name = f"{point}-{run}-{batch}-account-{account}.json"
    path = out or run_dir / FOLDER / name
    _write(path, shown.to_json().encode())
    print(f"account {account} under the root {shown.root} of batch {batch}: {path}")


def verify(
    proofs: Annotated[
        list[Path], typer.Argument(metavar="PROOF...", help="proof files")
    ],
    root: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="the root that an account must be under"),
    ] = None,
) -> None:
    """Checks proofs in plain Python; exit 1 where one is refused.

    Several proofs, in whatever order, must be of one run and follow each other: each
    batch starts from the root that the one before it ended with. One that lies in a run
    directory must be of its experiment.
    """
    from experiments.evidence import inclusion as accounts

    batches = []
    for path in proofs:
        try:
            if accounts.looks_like(path):
                _check_account(path, root)
            elif root:
                raise ConfigError("--root: goes with files that show an account")
            else:
                batches.append((path, _check_batch(path)))
        except OSError as problem:
            raise ConfigError(told(problem, path)) from None
    # A shell's pattern names batch 10 before batch 2.
    batches.sort(key=lambda checked: checked[1].batch)
    for (first, _), (path, _) in pairwise(batches):
        if _origin_of(first) != _origin_of(path):
            _refuse(path, f"is of another run than {first}")
    for (_, before), (path, after) in pairwise(batches):
        if before.new_root != after.old_root:
            _refuse(path, "does not start from the root that the one before ends with")
    if len(batches) > 1:
        print(f"{len(batches)} batches, each from where the one before ends")


def _origin_of(path: Path):
    from rollup.stark.verify.files import read_origin

    return read_origin(path)


def _foreign(path: Path, experiment: str) -> str:
    """What is wrong with a file that lies in a run directory of another experiment."""
    from experiments.evidence.proving import FOLDER
    from experiments.results import manifest_file, parquet

    place = path.resolve().parent
    if place.name != FOLDER or not (place.parent / manifest_file.NAME).is_file():
        return ""
    identity = manifest_file.read(place.parent)["config_hash"]
    return "" if experiment == identity else parquet.of_another(experiment, identity)


def _refuse(path: Path, reason: str) -> None:
    print(f"refused: {path}: {reason}")
    raise typer.Exit(1)


def _check_account(path: Path, root: str | None) -> None:
    """Judges a file that shows an account."""
    from experiments.evidence.inclusion import read

    try:
        shown = read(path)
        problem = shown.problem(root) or _foreign(path, shown.experiment)
    except ValueError as wrong:
        problem = str(wrong)
    if problem:
        _refuse(path, problem)
    account, collateral, unpaid, *rest = shown.words
    positions = ", ".join(map(str, rest[: len(rest) // 2]))
    print(f"accepted: account {account} under the root {root or shown.root}")
    print(f"  collateral {collateral:,} quanta, unpaid withdrawal {unpaid:,}")
    print(f"  positions  {positions} lots")


def _check_batch(path: Path):
    """Judges a proof of a batch; its public inputs where it is accepted."""
    from rollup.stark.verify import files, verifier

    try:
        data, public = files.read(path)
        verdict = verifier.verify(data, public)
        reason = "" if verdict.ok else verdict.reason
        reason = reason or _foreign(path, files.read_origin(path).experiment)
    except files.ProofFileError as problem:
        reason = str(problem)
    if reason:
        _refuse(path, reason)
    print(f"accepted: batch {public.batch}, {public.updates} position updates")
    print(f"  old root    {_root(public.old_root)}")
    print(f"  new root    {_root(public.new_root)}")
    print(f"  segments    {len(public.segments)}; first and last prices in ticks:")
    for segment in (public.segments[0], public.segments[-1]):
        print(f"              {', '.join(map(str, segment.prices))}")
    print(f"  net deposit {public.net_deposit:,} quanta")
    print(f"  allowance   {public.allowance:,} quanta beyond the margin rule")
    return public


def law(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="written as JSON")],
) -> None:
    """Times the prover here, for `rollup.proving_law`; takes minutes."""
    from experiments.config.proving_time import measure

    check_place(file)
    line = measure(file)
    print(
        f"{file}: {line.batch_us / 1e6:.2f} s a batch and "
        f"{line.tx_us / 1e3:.2f} ms a transaction"
    )


def _root(words: tuple[int, ...]) -> str:
    return "".join(f"{word:08x}" for word in words)
