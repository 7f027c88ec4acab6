"""Batches of a run of the lab, proven and verified."""

import json

import pytest

from experiments.config import proving_time as law
from experiments.engine import World
from experiments.evidence import proving
from rollup.stark.rules.statement import PublicInputs, Segment
from rollup.stark.verify import files
from rollup.stark.verify.verifier import verify
from tests.worlds import SEED, small

EXPERIMENT = "ab" * 32
ORIGIN = files.Origin(EXPERIMENT)


@pytest.fixture(scope="module")
def results() -> dict[int, proving.BatchProof]:
    """Four batches of a crash of eighty blocks; funding is paid in the fourth."""
    world = World(*small())
    last = proving.batches_of(world) - 1
    return {r.batch: r for r in proving.prove_run(world, SEED, ORIGIN, [last, 3, 1, 2])}


def test_every_batch_of_a_crash_is_proven(results):
    assert list(results) == [1, 2, 3, 7]
    for result in results.values():
        assert result.updates > 0 and result.segments > 1
        assert result.data is not None, result.reason
        assert verify(*files.unpack(result.data)).ok


def test_batches_follow_each_other(results):
    roots = [files.unpack(results[b].data)[1] for b in (1, 2, 3)]
    assert roots[0].new_root == roots[1].old_root
    assert roots[1].new_root == roots[2].old_root


def test_funding_moves_the_indices_of_the_segments(results):
    """Every account pays in the last segment of the batch, at the prices before it."""
    _, public = files.unpack(results[3].data)
    *_, traded, funded = public.segments
    assert funded.funding_indices != traded.funding_indices == (0, 0, 0)
    assert funded.prices == traded.prices
    # 56 accounts, an insurance fund and one for each of three markets, fees, residue.
    assert funded.updates == 56 + 4 + 2
    assert public.funding_flow <= 0


def test_a_batch_of_the_lab_verifies(results):
    proof, public = files.unpack(results[1].data)
    assert verify(proof, public).ok
    assert public.batch == 1
    assert public.updates == results[1].updates
    # Nothing but deposits and withdrawals crosses the border of the account table.
    assert public.funding_flow == 0


def test_the_proof_of_a_batch_is_no_proof_of_another(results):
    from dataclasses import replace

    proof, public = files.unpack(results[1].data)
    assert not verify(proof, replace(public, batch=2)).ok
    assert not verify(proof, replace(public, net_deposit=public.net_deposit + 1)).ok


def _labelled(origin):
    """A file that says which run it is of, and proves nothing."""
    public = PublicInputs(
        *(tuple(range(8)), tuple(range(8)), (Segment(0, (1,), (0,)),), (1,), (1,)),
        **{"net_deposit": 0, "funding_flow": 0, "allowance": 0},
        **{"batch": 0, "height": 1},
    )
    return files.pack(b"proof", public, origin)


def test_proofs_are_kept_beside_the_results_and_not_made_twice(tmp_path, monkeypatch):
    made = []

    def prove_run(world, seed, origin, batches):
        for batch in batches:
            made.append((origin.run, batch))
            failed = batch == 2
            yield proving.BatchProof(
                *(batch, 5, 3, 40, 0.25),
                None if failed else _labelled(origin),
                "why" if failed else "",
            )

    monkeypatch.setattr(proving, "prove_run", prove_run)
    world = World(*small())
    rows = proving.keep_proofs(tmp_path, [world], SEED, EXPERIMENT, runs=[0], every=2)
    assert [row["batch"] for row in rows] == [0, 2, 4, 6]
    assert rows[1] == {
        **{"point": 0, "run": 0, "batch": 2, "updates": 5, "segments": 3},
        "allowance": 40,
        **{"seconds": 0.25, "bytes": 0, "reason": "why"},
    }
    told = json.loads((tmp_path / "proofs/proofs.json").read_text())
    assert told == {"experiment": EXPERIMENT, "batches": rows}
    assert sorted(p.name for p in (tmp_path / "proofs").glob("*.proof")) == [
        "0-0-0.proof",
        "0-0-4.proof",
        "0-0-6.proof",
    ]
    made.clear()
    proving.keep_proofs(tmp_path, [world], SEED, EXPERIMENT, runs=[0], every=2)
    assert made == [(0, 2)]
    made.clear()
    proving.keep_proofs(tmp_path, [world], SEED, "cd" * 32, runs=[0], every=2)
    assert made == [(0, 0), (0, 2), (0, 4), (0, 6)]


def test_the_measured_law_becomes_a_line(tmp_path):
    from rollup.stark.prove.timing import ProvingLaw
    from rollup.stark.rules.parameters import StarkParameters

    measured = ProvingLaw(StarkParameters(), ((12, 1_000_000), (16, 13_000_000)))
    path = tmp_path / "law.json"
    path.write_text(json.dumps(measured.to_dict()))
    # 4,096 updates fill 2^16 rows: 12 s more for 4,095 updates, two to a transaction.
    assert law.read_law(path) == law.AffineLaw(1_000_000, 12_000_000 * 2 // 4096)


@pytest.mark.parametrize("content", ["[]", "{}", '{"parameters": {}, "points": 3}'])
def test_a_file_without_a_law_is_refused(tmp_path, content):
    path = tmp_path / "law.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="holds no proving law"):
        law.read_law(path)


def test_a_law_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "law.json"
    path.touch()
    with pytest.raises(ValueError, match="is not JSON"):
        law.read_law(path)
