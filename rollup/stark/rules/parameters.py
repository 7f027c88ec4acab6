"""What is fixed about a proof besides its statement: shape, queries, grinding.

Plain Python; the verifier imports it.
"""

from dataclasses import asdict, dataclass, replace

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
