"""Soundness in bits, computed again from the theorems with exact fractions."""

from fractions import Fraction
from itertools import pairwise
from math import log2

import pytest

from rollup.stark.prove.constraints import PERMUTATION_RULES
from rollup.stark.prove.symbolic import symbolic_frame
from rollup.stark.rules.air import transition_rules
from rollup.stark.rules.arithmetic import Ext
from rollup.stark.rules.layout import layout_for
from rollup.stark.rules.parameters import StarkParameters
from rollup.stark.rules.statement import PublicInputs, Segment
from rollup.stark.verify.soundness import (
    RULES,
    johnson,
    soundness_bits,
    unique_decoding,
)

Q = 2130706433**4
#: Default shape: 2^16 rows, 2^18 points, layers of 2^18, 2^15, 2^12 and 2^9 points.
ROWS, POINTS, FOLDED = 1 << 16, 1 << 18, (1 << 15) + (1 << 12) + (1 << 9) + (1 << 6)
COLUMNS, LANES = layout_for(3).total, 3 + 3 + 6 + 12


def bits(error: Fraction) -> float:
    return log2(error.denominator) - log2(error.numerator)


def common(candidates: Fraction) -> dict:
    """A fraction a round, for so many polynomials that a committed word may mean."""
    return {
        # poles of the true and of the claimed fractions, to vanish at and to hit
        "lookup": candidates * 2 * (LANES * ROWS + 4096) / Q,
        "rules": candidates * 2047 / Q,
        # products of three columns of degree n; quotient of 2 n times x^n - 1
        "out_of_domain": candidates * 3 * ROWS / Q,
    }


def test_unique_decoding_by_theorem_6_1():
    """Curves of degree l: error l n/q; agreement (1 + rho)/2 = 5/8 for rho = 1/4."""
    rounds = common(Fraction(1)) | {
        "batching": Fraction((2 * COLUMNS + 7) * POINTS, Q),
        "folding": Fraction(7 * FOLDED, Q) * Fraction(11, 8),
        "queries": Fraction(5, 8) ** 124 / 2**16,
    }
    got = soundness_bits(StarkParameters())
    assert got["regime"] == "unique decoding"
    for name, error in rounds.items():
        assert got["rounds"][name] == pytest.approx(bits(error), abs=1e-9), name
    assert got["bits"] == pytest.approx(bits(sum(rounds.values())), abs=1e-9)
    assert 95 < got["bits"] < 96


def test_johnson_by_theorems_6_2_and_8_3():
    """rho = 1/4: sqrt(rho) = 1/2 and rho^1.5 = 1/8 exactly."""
    for m in (3, 7, 20):
        half = m + Fraction(1, 2)
        rounds = common(2 * half) | {
            "batching": (2 * COLUMNS + 7) * half**7 * POINTS**2 * 8 / 3 / Q,
            "folding": Fraction((2 * m + 1) * (POINTS + 1) * 2 * 4 * 8, Q),
            "queries": (Fraction(1, 2) * (1 + Fraction(1, 2 * m))) ** 124 / 2**16,
        }
        got = johnson(StarkParameters(), m)
        for name, error in rounds.items():
            assert -got[name] == pytest.approx(bits(Fraction(error)), abs=1e-9), name
    best = soundness_bits(StarkParameters())
    assert best["johnson"] < 64 < best["bits"]


def test_the_sum_is_below_every_round():
    for log in (12, 16, 20):
        got = soundness_bits(StarkParameters(log_rows=log))
        assert got["bits"] < min(got["rounds"].values())


@pytest.mark.parametrize("markets", range(1, 5))
def test_the_bounds_cover_every_rule_and_lane(markets):
    p = StarkParameters(markets=markets, height=6, log_rows=12)
    layout = layout_for(markets)
    segment = Segment(3, (5,) * markets, (0,) * markets)
    public = PublicInputs(
        *((0,) * 8,) * 2, (segment,), (1,) * markets, (1,) * markets, 0, 0, 0, 0, 6
    )
    frame, _ = symbolic_frame(p, public, Ext((1, 2, 3, 4)), [0] * layout.claims)
    assert len(transition_rules(frame)) + 3 * PERMUTATION_RULES <= RULES
    assert len(layout.lanes) == 3 + markets + 6 + 12
    assert max(r.degree for r in transition_rules(frame)) <= 3


def test_a_query_never_buys_more_than_the_johnson_radius_gives():
    """One bit at rate 1/4; the conjecture would promise two."""
    counts = (40, 80, 120, 240)
    for rounds in (unique_decoding, lambda p: johnson(p, 39)):
        bought = [-rounds(StarkParameters(queries=q))["queries"] for q in counts]
        for (q0, b0), (q1, b1) in pairwise(zip(counts, bought, strict=True)):
            assert 0 < b1 - b0 < q1 - q0
    assert soundness_bits(StarkParameters(queries=84))["johnson_query_bits"] == 100
