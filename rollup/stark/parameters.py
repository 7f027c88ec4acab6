"""What is fixed about a proof besides its statement: shape, queries, grinding.

Plain Python; the verifier imports it.
"""

import math
from dataclasses import asdict, dataclass, replace

from rollup.stark.arithmetic import P

ROWS = 16  #: rows of the trace that one update takes
LIMB_BITS = 12  #: amounts are written in base 2^12; the look-up table has 2^12 rows
LIMB = 1 << LIMB_BITS
BLOWUP = 4
SHIFT = 3  #: the evaluation domain is SHIFT times the roots of unity
FOLD_LOG = 3
FOLD = 1 << FOLD_LOG  #: FRI folds eight values to one
FINAL_DOMAIN = 256  #: FRI stops at or below this size and sends coefficients
MAX_MARKETS = 4
MAX_LOG_ROWS = 20
MIN_LOG_ROWS = LIMB_BITS
MAX_QUERIES = 512
MAX_GRINDING = 32


@dataclass(frozen=True)
class StarkParameters:
    """Parameters of one proof.

    Attributes:
        markets: M, markets of an account.
        height: height of the state tree, at most 16.
        log_rows: log2 of the trace's rows; room for ``2^log_rows / 16`` updates.
        queries: FRI queries.
        grinding: leading zero bits asked of the proof of work.
    """

    markets: int = 3
    height: int = 16
    log_rows: int = 16
    queries: int = 124
    grinding: int = 16

    def __post_init__(self):
        limits = {
            "markets": (1, MAX_MARKETS),
            "height": (1, ROWS),
            "log_rows": (MIN_LOG_ROWS, MAX_LOG_ROWS),
            "queries": (1, MAX_QUERIES),
            "grinding": (0, MAX_GRINDING),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} is {value!r}; allowed: {low} to {high}")

    @property
    def rows(self) -> int:
        """Rows of the trace."""
        return 1 << self.log_rows

    @property
    def capacity(self) -> int:
        """Updates that fit."""
        return self.rows // ROWS

    @property
    def domain(self) -> int:
        """Points of the evaluation domain."""
        return self.rows * BLOWUP

    @property
    def fri_sizes(self) -> tuple[int, ...]:
        """Sizes of the committed FRI layers, largest first."""
        sizes = [self.domain]
        while sizes[-1] > FINAL_DOMAIN:
            sizes.append(sizes[-1] // FOLD)
        return tuple(sizes[:-1])

    @property
    def final_size(self) -> int:
        """Domain size on which the last polynomial lives."""
        return self.fri_sizes[-1] // FOLD

    @property
    def final_coefficients(self) -> int:
        """Coefficients of the last polynomial, sent in the clear."""
        return self.final_size // BLOWUP

    def for_updates(self, updates: int) -> "StarkParameters":
        """The same parameters with the smallest trace that holds the updates.

        Raises:
            ValueError: more updates than the largest trace holds.
        """
        log = max(MIN_LOG_ROWS, (max(updates, 1) * ROWS - 1).bit_length())
        return replace(self, log_rows=log)

    def to_dict(self) -> dict:
        """JSON-able form."""
        return asdict(self)


def _log2_sum(exponents) -> float:
    """log2 of a sum of powers of two, without leaving the floating range."""
    top = max(exponents)
    return top + math.log2(sum(2.0 ** (e - top) for e in exponents))


def _regime(p: StarkParameters, columns: int, constraints: int, m: int) -> dict:
    """Errors, as log2, of each round for proximity parameter m (0: unique decoding)."""
    field = 4 * math.log2(P)
    domain, rate = p.domain, 1 / BLOWUP
    log_domain = math.log2(domain)
    if m == 0:
        agreement, list_size = (1 + rate) / 2, 0.0
        gap = log_domain - field
    else:
        agreement = math.sqrt(rate) * (1 + 1 / (2 * m))
        list_size = math.log2((m + 0.5) / math.sqrt(rate))
        gap = 7 * math.log2(m + 0.5) + 2 * log_domain - math.log2(3 * rate**1.5) - field
    batch = gap + math.log2(columns)
    folds = gap + math.log2(FOLD - 1)
    degree = 3 * p.rows
    return {
        "agreement": agreement,
        "constraints": list_size + math.log2(constraints) - field,
        "out_of_domain": list_size + math.log2(degree) - field,
        "lookup": math.log2(64 * p.rows) - field,
        "batching": batch,
        "folding": folds,
        "queries": p.queries * math.log2(agreement) - p.grinding,
    }


def soundness_bits(
    parameters: StarkParameters, columns: int = 1024, constraints: int = 2048
) -> dict:
    """Proven soundness of the interactive argument, in bits, and where it is lost.

    Every error is of a proven regime: unique decoding, or list decoding up to the
    Johnson radius with proximity parameter m; the best of them is taken. The
    conjecture "up to capacity" is used nowhere. Grinding is credited to the query
    round only. ``columns`` and ``constraints`` are upper bounds for the batching.

    Returns:
        ``bits`` (of the sum of all errors), ``regime``, ``rounds`` (bits per round),
        ``johnson_query_bits`` (queries * log2(1/sqrt(rate)) + grinding: the limit of
        the query round alone as m grows, not a soundness claim).

    Source: Ben-Sasson, Carmon, Ishai, Kopparty, Saraf, "Proximity gaps for
    Reed-Solomon codes", eprint 2020/654, theorems 4.1 (unique) and 5.1, 6.1
    (Johnson); DEEP-ALI accounting as in ethSTARK, eprint 2021/582.
    """
    best: dict = {}
    for m in range(0, 40):
        if m in (1, 2):
            continue
        errors = _regime(parameters, columns, constraints, m)
        agreement = errors.pop("agreement")
        bits = -_log2_sum(list(errors.values()))
        if not best or bits > best["bits"]:
            regime = "unique decoding" if m == 0 else f"Johnson, m = {m}"
            rounds = {name: -value for name, value in errors.items()}
            best = {
                "bits": bits,
                "regime": regime,
                "agreement": agreement,
                "rounds": rounds,
            }
    johnson = parameters.queries * math.log2(BLOWUP) / 2 + parameters.grinding
    return {**best, "johnson_query_bits": johnson}
