"""Proven soundness of the interactive argument, round by round, in bits.

With q = p^4 challenges, n rows, N = 4n points, rate r = n/N, W columns, T look-up
lanes, and committed words that agree with polynomials on a share ``a`` of the points
(`agreement`), of which there may be L (`list`), the rounds err with at most:

    lookup         L * 2 (T n + 4096) / q    a wrong cell hides, or a pole is hit
    rules          L * (R - 1) / q           R rules combined by powers of a challenge
    out_of_domain  L * 3 n / q               an identity of degree 3n holds by chance
    batching       (2 W + 7) * gap(N)        2 W + 8 quotients combined by powers
    folding        see below                 seven powers, once a layer
    queries        a^queries / 2^grinding    every query meets only agreeing points

Unique decoding: a = (1 + r)/2, L = 1, gap(N) = N/q (theorem 6.1 of the source). A fold
of a layer of S points makes words of S/8 points: it errs by 7 gap(S/8) for the set of
agreement, and once more by (1 - a) of that, that outside the set the eight parts
happen to fold to the polynomial's value. With both, all points where queries pass
agree with one polynomial, layer below layer, so no weights are needed.

Johnson, for m >= 3: a = sqrt(r) (1 + 1/(2m)), L = (m + 1/2)/sqrt(r),
gap(N) = (m + 1/2)^7 N^2 / (3 r^1.5 q) (theorems 5.1 and 6.2), and all folds together
(2m + 1)(N + 1)/sqrt(r) * 8 layers / q (theorem 8.3).

The conjecture "up to capacity" is used nowhere: it has been disproved.

Source: Ben-Sasson, Carmon, Ishai, Kopparty, Saraf, "Proximity gaps for Reed-Solomon
codes", eprint 2020/654; the rounds of DEEP-ALI as in ethSTARK, eprint 2021/582; the
look-up by Habock, eprint 2022/1530.
"""

import math

from rollup.stark.rules.arithmetic import P
from rollup.stark.rules.layout import layout_for
from rollup.stark.rules.parameters import BLOWUP, FOLD, LIMB, StarkParameters

#: At least as many rules as any number of markets has; a test counts them.
RULES = 2048
#: Proximity parameters of the Johnson regime that are tried.
JOHNSON = range(3, 40)


def _log2_sum(exponents) -> float:
    """log2 of a sum of powers of two, without leaving the floating range."""
    top = max(exponents)
    return top + math.log2(sum(2.0 ** (e - top) for e in exponents))


def _common(p: StarkParameters, list_size: float) -> dict[str, float]:
    """log2 of the errors that both regimes share, but for the size of the list."""
    field, lanes = 4 * math.log2(P), len(layout_for(p.markets).lanes)
    errors = {
        "lookup": 2 * (lanes * p.rows + LIMB),
        "rules": RULES - 1,
        "out_of_domain": 3 * p.rows,
    }
    return {k: math.log2(list_size * v) - field for k, v in errors.items()}


def _queries(p: StarkParameters, agreement: float) -> float:
    return p.queries * math.log2(agreement) - p.grinding


def _batched(p: StarkParameters) -> int:
    """Degree of the curve of quotients that FRI is run on."""
    return 2 * layout_for(p.markets).total + 7


def unique_decoding(p: StarkParameters) -> dict[str, float]:
    """log2 of the error of each round in the unique decoding regime."""
    field, agreement = 4 * math.log2(P), (1 + 1 / BLOWUP) / 2
    folded = sum(size // FOLD for size in p.fri_sizes)
    return {
        **_common(p, 1),
        "batching": math.log2(_batched(p) * p.domain) - field,
        "folding": math.log2((FOLD - 1) * folded * (2 - agreement)) - field,
        "queries": _queries(p, agreement),
    }


def johnson(p: StarkParameters, m: int) -> dict[str, float]:
    """log2 of the error of each round up to the Johnson radius, for m >= 3."""
    field, rate = 4 * math.log2(P), 1 / BLOWUP
    root, layers = math.sqrt(rate), len(p.fri_sizes)
    gap = (m + 0.5) ** 7 * p.domain**2 / (3 * rate**1.5)
    folds = (2 * m + 1) * (p.domain + 1) / root * FOLD * layers
    return {
        **_common(p, (m + 0.5) / root),
        "batching": math.log2(_batched(p) * gap) - field,
        "folding": math.log2(folds) - field,
        "queries": _queries(p, root * (1 + 1 / (2 * m))),
    }


def soundness_bits(parameters: StarkParameters) -> dict:
    """Proven soundness in bits, and where it is lost; grinding helps the queries only.

    Returns:
        ``bits`` (of the sum of all errors) and ``rounds`` (bits of each) of the better
        ``regime``; ``johnson`` (bits of the Johnson regime at its best m);
        ``johnson_query_bits`` (queries * log2(1/sqrt(rate)) + grinding: the limit of
        the query round alone as m grows, not a soundness claim).
    """

    def bits(errors: dict) -> float:
        return -_log2_sum(list(errors.values()))

    m = max(JOHNSON, key=lambda m: bits(johnson(parameters, m)))
    regimes = {
        "unique decoding": unique_decoding(parameters),
        f"Johnson, m = {m}": johnson(parameters, m),
    }
    regime = max(regimes, key=lambda name: bits(regimes[name]))
    per_query = math.log2(BLOWUP) / 2
    return {
        "bits": bits(regimes[regime]),
        "regime": regime,
        "rounds": {name: -value for name, value in regimes[regime].items()},
        "johnson": bits(johnson(parameters, m)),
        "johnson_query_bits": parameters.queries * per_query + parameters.grinding,
    }
