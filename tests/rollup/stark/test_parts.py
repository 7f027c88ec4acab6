"""FRI, openings, transcript and parameters, each on its own."""

import numpy as np
import pytest

from rollup.stark.fields.field import KOALABEAR
from rollup.stark.fields.ntt import low_degree_extension, powers
from rollup.stark.prove.commitment import Tree
from rollup.stark.prove.fri import final_coefficients, fold
from rollup.stark.prove.openings import inverse_gaps, values_at
from rollup.stark.rules.arithmetic import (
    Ext,
    P,
    horner,
    minimal_polynomial,
    root_of_unity,
)
from rollup.stark.rules.parameters import FOLD, SHIFT, StarkParameters
from rollup.stark.verify.transcript import Transcript
from rollup.stark.verify.verifier import _check_opening, fold_values

POINT = Ext((123, 456, 789, 1011))


def extension_columns(values: np.ndarray, k: int) -> Ext:
    return Ext(tuple(int(v) for v in values[:, k]))


def test_prover_and_verifier_fold_alike():
    size = 128
    values = np.random.default_rng(0).integers(0, P, (4, size), dtype=np.uint32)
    folded = fold(values, SHIFT, POINT)
    stride = size // FOLD
    for j in (0, 1, stride - 1):
        x = SHIFT * pow(root_of_unity(size), j, P) % P
        leaf = [extension_columns(values, j + k * stride) for k in range(FOLD)]
        assert fold_values(leaf, x, POINT) == extension_columns(folded, j)


def test_folding_a_polynomial_combines_its_parts():
    """f = sum x^i f_i(x^8) folds to sum challenge^i f_i: read off the coefficients."""
    size, degree = 256, 64
    rng = np.random.default_rng(1)
    coefficients = rng.integers(0, P, degree)
    xs = [int(v) * SHIFT % P for v in powers(KOALABEAR, root_of_unity(size), size)]
    values = np.zeros((4, size), np.uint32)
    values[0] = [horner([int(c) for c in coefficients], x).c[0] for x in xs]
    folded = final_coefficients(fold(values, SHIFT, POINT), pow(SHIFT, FOLD, P))
    for k in range(degree // FOLD):
        part = [int(c) for c in coefficients[FOLD * k : FOLD * k + FOLD]]
        assert folded[k] == horner(part, POINT)
    assert all(not any(c.c) for c in folded[degree // FOLD :])


def test_values_outside_the_domain_equal_horner():
    n = 4096
    rng = np.random.default_rng(2)
    columns = rng.integers(0, P, (3, n), dtype=np.uint32)
    points = [POINT, POINT * root_of_unity(n)]
    got = values_at(columns, points)
    from rollup.stark.fields.ntt import interpolate

    padded = np.pad(columns, ((0, 13), (0, 0)))
    coefficients = np.asarray(interpolate(padded))[:3].tolist()
    for k, point in enumerate(points):
        assert got[k] == [horner(row, point) for row in coefficients]


def test_inverse_gaps_invert_and_the_minimal_polynomial_vanishes():
    assert horner(minimal_polynomial(POINT), POINT) == Ext((0, 0, 0, 0))
    xs = np.arange(1, 4097, dtype=np.uint32)
    gaps = inverse_gaps(POINT, xs)
    for k in (0, 17, 4095):
        assert extension_columns(gaps, k) * (int(xs[k]) - POINT) == Ext((1, 0, 0, 0))


@pytest.mark.parametrize("count", [64, 16384])
def test_paths_open_under_the_root_and_nowhere_else(count):
    words = np.random.default_rng(3).integers(0, P, (32, count), dtype=np.uint32)
    tree = Tree(words)
    from rollup.stark.verify.proof import Opening
    from rollup.stark.verify.verifier import Refused

    for index in (0, 1, count // 2, count - 1):
        opening = Opening(tuple(int(w) for w in words[:, index]), tree.path(index))
        _check_opening(opening, index, tree.root, "row")
        with pytest.raises(Refused):
            _check_opening(opening, index ^ 1, tree.root, "row")


def test_extension_agrees_with_its_column_on_every_coset():
    columns = np.random.default_rng(4).integers(0, P, (16, 64), dtype=np.uint32)
    extended = np.asarray(low_degree_extension(columns, 4, SHIFT))
    from rollup.stark.fields.ntt import interpolate

    row = np.asarray(interpolate(columns))[5].tolist()
    step, omega = root_of_unity(256), root_of_unity(64)
    for coset, entry in ((0, 0), (1, 3), (3, 63)):
        x = SHIFT * pow(step, coset, P) * pow(omega, entry, P) % P
        assert horner(row, x).c[0] == extended[5, coset, entry]


def test_challenges_depend_on_every_message_and_on_the_order():
    def draw(*messages):
        transcript = Transcript(b"seed")
        for message in messages:
            transcript.absorb(message)
        return transcript.extension().c

    results = [draw(), draw(b"a"), draw(b"b"), draw(b"a", b"b"), draw(b"b", b"a")]
    results += [draw(b"ab"), draw(b"")]
    assert len(set(results)) == len(results)


def test_indices_are_spread_below_their_bound():
    indices = Transcript(b"x").indices(4000, 64)
    counts = np.bincount(indices, minlength=64)
    assert len(counts) == 64 and counts.min() > 20


def test_work_asks_for_leading_zero_bits():
    transcript = Transcript(b"work")
    nonce = transcript.grind(8)
    assert transcript.work_is_done(nonce, 8)
    assert not any(transcript.work_is_done(k, 8) for k in range(nonce))


@pytest.mark.parametrize("wrong", [{"height": 17}, {"log_rows": 3}, {"queries": 0}])
def test_parameters_out_of_range_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        StarkParameters(**wrong)
