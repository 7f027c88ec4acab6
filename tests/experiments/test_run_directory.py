"""What a run directory holds is of its experiment, whole, and nobody else's."""

import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pyarrow.parquet as pq
import pytest

from experiments import audit
from experiments.config.errors import ConfigError
from experiments.results import files, lock, parquet
from experiments.results.store import Store
from tests.experiments.conftest import TOY

TABLES = ("runs.parquet", "series.parquet")


def tables(folder):
    return [pd.read_parquet(folder / name) for name in TABLES]


def assert_same_tables(a, b):
    for mine, theirs in zip(tables(a), tables(b), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A complete directory, and one where half of the runs failed; and the document."""
    from rich.console import Console

    from experiments import config, runner
    from experiments.preparation import prepare

    document = {
        "name": "toy",
        "seed": 5,
        "runs": 3,
        "world": {"blocks": 12, "series_every": 4},
        "sweep": {"sequencer.policy": ["fcfs", "priority_fee"]},
        "plan": {"lanes": 1},
    }
    folder = tmp_path_factory.mktemp("made")
    patch = pytest.MonkeyPatch()
    patch.setattr("experiments.conclusion.write_report", lambda path, console: None)
    for name, trouble in (("whole", ""), ("half", "raise@priority_fee")):
        patch.setenv("TOY_TROUBLE", trouble)
        prepared = prepare(config.expand(document), TOY)
        options = runner.Options(folder / name, workers=0, engine=TOY)
        runner.run(prepared, options, Console(quiet=True))
    patch.undo()
    return folder, document


@pytest.fixture
def whole(made, tmp_path):
    return shutil.copytree(made[0] / "whole", tmp_path / "whole")


@pytest.fixture
def half(made, tmp_path):
    return shutil.copytree(made[0] / "half", tmp_path / "half")


def spoil(path, how):
    data = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    else:
        middle = len(data) // 2
        flipped = bytes([data[middle] ^ 255])
        contents = {
            "empty": b"",
            "cut": data[:middle],
            "flipped": data[:middle] + flipped + data[middle + 1 :],
            "text": b"not what it should be",
        }
        path.write_bytes(contents[how])


DAMAGES = ("missing", "a folder", "empty", "cut", "flipped", "text")


def test_the_runs_of_damaged_parts_are_run_again(made, half, toy):
    """Every file of a part in every state, all at once: three parts, in turns."""
    victims = sorted((half / "parts").iterdir())
    cases = [
        (name, how)
        for name in (*TABLES, "seal.json")
        for how in DAMAGES
        # JSON with other blanks or digits can still hold; a flipped bit there may not.
        if (name, how) != ("seal.json", "flipped")
    ]
    kept = Store(half).kept(Store(half).read_manifest())
    assert len(kept.lanes) == 3 and not kept.damaged
    for name, how in cases:
        copy = half.with_name("copy")
        shutil.copytree(half, copy)
        spoil(copy / "parts" / victims[0].name / name, how)
        kept = Store(copy).kept(Store(copy).read_manifest())
        assert len(kept.lanes) == 2, (name, how)
        assert str(victims[0].name) in kept.damaged[0]
        shutil.rmtree(copy)
    for victim, (name, how) in zip(victims, cases[2:5], strict=True):
        spoil(victim / name, how)
    assert toy(made[1], half, resume=True).finished == 6
    assert_same_tables(half, made[0] / "whole")
    assert not (half / "parts").exists()


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_table_is_named_by_every_reader(whole, name, how):
    spoil(whole / name, how)
    store = Store(whole)
    with pytest.raises(ConfigError, match=name):
        audit.audit(store, store.read_manifest())
    from experiments.report import ReportError, write_report

    with pytest.raises(ReportError, match=name):
        write_report(whole)
    assert store.kept(store.read_manifest()).lanes == set()


def test_a_run_whose_table_is_damaged_is_run_again(made, whole, toy):
    spoil(whole / "runs.parquet", "cut")
    assert toy(made[1], whole, resume=True).finished == 6
    assert_same_tables(whole, made[0] / "whole")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"schema": 1}', '{"schema": 2}', '"\\ud800"', "[" * 9999],
)
def test_a_manifest_that_is_none_is_named(whole, text):
    (whole / "manifest.json").write_text(text)
    with pytest.raises(ConfigError, match=r"manifest\.json"):
        Store(whole).read_manifest()


def test_a_manifest_that_somebody_changed_is_refused(whole):
    path = whole / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "seed": 6}))
    with pytest.raises(ConfigError, match="not as the lab wrote it"):
        Store(whole).read_manifest()


@pytest.mark.parametrize(
    "kept", ["running", "merged"], ids=["in the tables", "in the manifest"]
)
def test_a_run_killed_while_its_parts_are_removed_loses_nothing(
    made, half, toy, kept, monkeypatch
):
    """Killed at the first part that goes, and killed before the manifest said so."""
    if kept == "merged":
        part = sorted((half / "parts").iterdir())[1]
        monkeypatch.setattr(files, "remove", stopped_at(files.remove, part.name))
    else:
        monkeypatch.setattr(Store, "write_manifest", stopped(Store.write_manifest, 2))
    with pytest.raises(RuntimeError, match="killed"):
        toy(made[1], half, resume=True)
    monkeypatch.undo()
    monkeypatch.setattr("experiments.conclusion.write_report", lambda path, console: 0)
    assert toy(made[1], half, resume=True).finished == 6
    assert_same_tables(half, made[0] / "whole")


def stopped_at(function, name):
    def stop(path):
        if path.name == name:
            raise RuntimeError("killed")
        return function(path)

    return stop


def stopped(function, count):
    """The function, until it is called the ``count``-th time."""
    calls = []

    def stop(*arguments):
        calls.append(arguments)
        if len(calls) == count:
            raise RuntimeError("killed")
        return function(*arguments)

    return stop


# --- whose it is ----------------------------------------------------------------------


def test_a_part_of_another_experiment_is_refused(made, half, toy, tmp_path):
    toy({**made[1], "seed": 8}, tmp_path / "other", workers=0)
    toy_other = {**made[1], "seed": 8}
    os.environ["TOY_TROUBLE"] = "raise@priority_fee"
    try:
        toy(toy_other, tmp_path / "parts")
    finally:
        del os.environ["TOY_TROUBLE"]
    part = next((tmp_path / "parts" / "parts").iterdir())
    shutil.copytree(part, half / "parts" / "0123456789abcdef")
    with pytest.raises(ConfigError, match="is of the experiment"):
        toy(made[1], half, resume=True)
    shutil.copy(tmp_path / "other" / "runs.parquet", half / "runs.parquet")
    with pytest.raises(ConfigError, match=r"runs\.parquet: is of the experiment"):
        audit.audit(Store(half), Store(half).read_manifest())


def test_a_part_that_stands_there_twice_is_not_counted_twice(made, half, toy):
    part = next((half / "parts").iterdir())
    shutil.copytree(part, half / "parts" / "0123456789abcdef")
    assert toy(made[1], half, resume=True).finished == 6
    assert_same_tables(half, made[0] / "whole")


def test_parts_without_their_manifest_are_refused_and_can_be_removed(made, half, toy):
    (half / "manifest.json").unlink()
    for options in ({}, {"resume": True}):
        with pytest.raises(ConfigError, match=r"whose manifest\.json is gone"):
            toy(made[1], half, **options)
    assert toy({**made[1], "seed": 8}, half, overwrite=True).finished == 6
    assert set(tables(half)[0].seed) == {8}


def test_overwriting_removes_all_that_is_the_labs_and_nothing_else(made, whole, toy):
    own = ["records/0-1.npz", "proofs/0-0-3.proof", "proofs/proofs.json"]
    own += ["proofs/0-0-3-account-7.json", "report.html", "checks.json"]
    theirs = ["notes.txt", "records/notes.txt", "proofs/mine.json", "parts/read.me"]
    for name in (*own, *theirs):
        (whole / name).parent.mkdir(exist_ok=True)
        (whole / name).write_text("x")
    toy({**made[1], "seed": 8}, whole, overwrite=True)
    left = {str(p.relative_to(whole)) for p in whole.rglob("*") if p.is_file()}
    assert left == {*theirs, "manifest.json", "checks.json", *TABLES}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("report.html", "<html>of somebody else</html>"),
        ("manifest.json", '{"name": "an app of the web"}'),
        ("checks.json", "[]"),
        ("runs.parquet", None),
    ],
)
def test_a_file_of_somebody_else_is_not_overwritten(made, toy, tmp_path, name, content):
    path = tmp_path / name
    if content is None:
        pd.DataFrame({"x": [1]}).to_parquet(path)
    else:
        path.write_text(content)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="not a file of the lab's"):
        toy(made[1], tmp_path, overwrite=True)
    with pytest.raises(ConfigError):
        toy(made[1], tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert path.read_bytes() == before


def rewritten(folder, name, change):
    """The table as ``change`` makes it, with the digest of the manifest made to fit."""
    manifest = Store(folder).read_manifest()
    table = change(pd.read_parquet(folder / name))
    whole = pq.read_table(folder / name).schema
    changed = parquet.pa.Table.from_pandas(table, schema=whole, preserve_index=False)
    pq.write_table(parquet.marked(changed, manifest["config_hash"]), folder / name)
    manifest["tables"][name] = files.digest_of(folder / name)
    Store(folder).write_manifest(manifest)


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        (TABLES[0], lambda t: pd.concat([t, t[:1]]), "stands there 2 times"),
        (TABLES[0], lambda t: t.assign(run=t.run + 1), "was never planned"),
        (TABLES[0], lambda t: t.assign(seed=99), "seed = 99"),
        (TABLES[0], lambda t: t.assign(**{"sequencer.policy": "fcfs"}), "at point 1"),
        (TABLES[1], lambda t: t[t.run > 0], "other runs than"),
        (TABLES[1], lambda t: t[1:], "fewer samples"),
        (TABLES[1], lambda t: t.assign(block=t.block + 1), "samples are not of every"),
    ],
)
def test_check_looks_at_every_row(whole, name, change, problem):
    rewritten(whole, name, change)
    with pytest.raises(ConfigError, match=problem):
        audit.audit(Store(whole), Store(whole).read_manifest())


def test_check_counts_the_runs_that_are_missing(half):
    manifest = Store(half).read_manifest()
    assert audit.missing_runs(manifest, audit.audit(Store(half), manifest)) == 3


@pytest.mark.parametrize(
    "name",
    [
        "records/0-0.npz",
        "proofs/0-0-1.proof",
        "proofs/0-0-1-account-2.json",
        "proofs/proofs.json",
        "report.html",
    ],
)
def test_check_reads_whose_every_other_file_is(whole, name):
    """Another experiment's, and one that is damaged."""
    from experiments.evidence.inclusion import Inclusion
    from experiments.results.leftovers import REPORT_MARK
    from rollup.stark.verify.files import MAGIC, VERSION

    path, other = whole / name, "ab" * 32
    path.parent.mkdir(exist_ok=True)
    account = Inclusion(other, 0, 0, 1, "00" * 32, 6, [2], "00")
    contents = {
        ".proof": MAGIC + bytes([VERSION, 0]) + bytes.fromhex(other) + bytes(12),
        ".json": account.to_json().encode(),
        ".html": f"<head>{REPORT_MARK.format(other)}".encode(),
    }
    if name == "proofs/proofs.json":
        path.write_text(json.dumps({"experiment": other, "batches": []}))
    elif path.suffix == ".npz":
        import numpy as np

        np.savez(path, origin=np.array([other, "0", "0"]))
    else:
        path.write_bytes(contents[path.suffix])
    store = Store(whole)
    with pytest.raises(ConfigError, match=f"{path.name}: is of the experiment abab"):
        audit.audit(store, store.read_manifest())
    path.write_bytes(b"{")
    with pytest.raises(ConfigError, match=path.name):
        audit.audit(store, store.read_manifest())


# --- two drivers, and what killed ones leave ------------------------------------------


def test_a_second_driver_is_kept_out_and_a_dead_one_is_no_obstacle(made, half, toy):
    with lock.held(half), pytest.raises(ConfigError, match=f"process {os.getpid()} on"):
        toy(made[1], half, resume=True)
    assert not (half / lock.NAME).exists()
    held = (
        "import os, sys; from pathlib import Path;"
        "from experiments.results import lock;"
        "kept = lock.held(Path(sys.argv[1])); kept.__enter__(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", held, half], check=False)
    assert (half / lock.NAME).exists()
    assert toy(made[1], half, resume=True).finished == 6
    assert not (half / lock.NAME).exists()


def test_what_a_killed_driver_was_writing_is_removed(made, half, toy):
    gone = [half / ".runs.parquet.1.tmp", half / "parts" / ".abc.1.tmp"]
    gone += [half / "records" / ".0-0.npz.1.tmp", half / "proofs" / ".x.proof.1.tmp"]
    for path in gone:
        path.mkdir(parents=True)
    toy(made[1], half, resume=True)
    assert not any(path.exists() for path in gone)


def test_a_file_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    happened = []
    flushed, replaced = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda d: (happened.append(os.readlink(f"/proc/self/fd/{d}")),
                                flushed(d))
    )  # fmt: skip
    monkeypatch.setattr(
        os, "replace", lambda a, b: (happened.append("replaced"), replaced(a, b))
    )
    files.write_json(tmp_path / "x.json", {})
    with files.replacing(tmp_path / "folder") as folder:
        folder.mkdir()
        (folder / "inside").write_text("x")
    (tmp_path / "x.json").read_text()
    named = [os.path.basename(name).split(".")[-1] for name in happened]
    assert named[:3] == ["tmp", "replaced", tmp_path.name]
    assert sorted(named[3:5]) == ["inside", "tmp"]
    assert named[5:] == ["replaced", tmp_path.name]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "x.json"
    files.write_json(path, 1)
    with pytest.raises(TypeError):
        files.write_json(path, object())
    with pytest.raises(RuntimeError), files.replacing(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "1\n"
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
