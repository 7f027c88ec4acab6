"""Where everything stands in the trace: columns, lanes, cells and periodic columns.

Columns that follow from the public inputs alone stand in ``bands.py``.

One update takes sixteen rows. Row r holds level r of its Merkle path, and limb r
(base 2^12) of each amount that is computed limb by limb: a product of two amounts is
a convolution that walks down the rows, with one carry from row to row. Values that
several rows need are *held*: constant over the update's rows.

Plain Python; the verifier imports it.
"""

from functools import cache

from rollup.commitments.hashing.poseidon2_constants import koalabear16
from rollup.stark.rules.parameters import LIMB, LIMB_BITS, ROWS, StarkParameters
from rollup.stark.rules.statement import PPM

#: Columns of one permutation: input, four full rounds, partial rounds, four full.
INPUT, FIRST, PARTIAL, LAST = 0, 16, 80, 100
SLOT = 164
OLD_PATH, NEW_PATH, LEAF = 0, 1, 2
DIGEST = 8

AMOUNT_LIMBS = 5  # collateral and funding indices, biased by 2^59
POSITION_LIMBS = 4  # magnitude
VALUE_LIMBS = 6  # total value, two's complement with a signed top limb
RISK_LIMBS = 7
RISK_PRICE_LIMBS = 6
PRICE_LIMBS = 4
TOP = LIMB // 2  # bias of a signed top limb
REMAINDER_LIMBS = 2
ALLOWANCE_LIMBS = 2
#: Rows of the lane "remainder" below the remainder itself: its distance from a
#: million, and what an update is allowed beyond the margin rule.
DISTANCE_ROW, ALLOWANCE_ROW = 2, 4
#: Row of the lane "value0" where the limbs of the requirement's fall begin.
FALL_ROW = VALUE_LIMBS
#: A carry is u + 32 v - CARRY_BIAS with u, v in the look-up table.
CARRY_STEP = 32
CARRY_BIAS = (LIMB - 1) * (1 + CARRY_STEP) // 2
STREAMS = ("funding", "value0", "risk0", "value1", "risk1", "slack")

LEAF_TAG = 0x4C454146 % koalabear16().p


def limbs(value: int, count: int) -> list[int]:
    """Base-2^12 digits, least significant first, of a value that fits them."""
    return [(value >> (LIMB_BITS * i)) & (LIMB - 1) for i in range(count)]


class Layout:
    """Names of the columns for M markets.

    Attributes:
        columns: name -> (first index, count); ``helper`` and ``running`` are
            coordinates of extension columns and come after all others.
        lanes: names of the range-checked columns, in look-up order.
        width: base columns; aux: columns of the second commitment.
    """

    def __init__(self, markets: int):
        self.markets = markets
        self.columns: dict[str, tuple[int, int]] = {}
        self._next = 3 * SLOT
        amounts = ("collateral0", "funded", "collateral1")
        self.lanes = [
            *amounts,
            *(f"index{m}" for m in range(markets)),
            *("value0", "value1", "risk0", "risk1", "remainder", "slack"),
            *(f"{s}_{part}" for s in STREAMS for part in ("u", "v")),
        ]
        for name in self.lanes:
            self._add(name, 1)
        self.held_start = self._next
        self._add_held(markets)
        self.held_end = self._next
        self._add("root", DIGEST)
        self._add("index_delay", 3 * markets)
        self._add("risk0_delay", VALUE_LIMBS - 1)
        self._add("risk1_delay", VALUE_LIMBS - 1)
        self._add("funding_delay", 1)
        for name in ("bit", "partial_index", "borrow", "table", "multiplicity"):
            self._add(name, 1)
        self._add("sum_deposit", AMOUNT_LIMBS)
        self._add("sum_funding", AMOUNT_LIMBS)
        self._add("sum_allowance", ALLOWANCE_LIMBS)
        self._add("sum_position", POSITION_LIMBS * markets)
        self.width = self._next
        self.pairs = [self.lanes[i : i + 2] for i in range(0, len(self.lanes), 2)]
        self._add("helper", 4 * len(self.pairs))
        self._add("running", 4)
        self.aux = self._next - self.width
        self.total = self._next
        self.claims = 2 * AMOUNT_LIMBS + ALLOWANCE_LIMBS + POSITION_LIMBS * markets
        self.leaf_blocks = -(-(4 + 5 * markets) // DIGEST)
        self._place_cells(markets)

    def _add(self, name: str, count: int) -> None:
        self.columns[name] = (self._next, count)
        self._next += count

    def _add_held(self, markets: int) -> None:
        for side in "01":
            self._add(f"position{side}", POSITION_LIMBS * markets)
            self._add(f"negative{side}", markets)
            self._add(f"value{side}_held", VALUE_LIMBS)
            self._add(f"collateral{side}_packed", 3)
            self._add(f"leaf{side}", DIGEST)
        self._add("index_packed", 3 * markets)
        self._add("allowance", ALLOWANCE_LIMBS)
        for name in ("healthy", "reducing", "inverse", "account", "remainder_packed"):
            self._add(name, 1)

    def _place_cells(self, markets: int) -> None:
        """Finds a free range-checked cell (lane, row) for each held limb."""
        free = [
            (lane, row)
            for lane in ("collateral0", "funded", "collateral1")
            for row in range(AMOUNT_LIMBS, ROWS)
        ]
        wanted = [(side, i) for side in "01" for i in range(POSITION_LIMBS * markets)]
        self.position_cells = dict(zip(wanted, free, strict=False))

    def at(self, name: str, i: int = 0) -> int:
        """Index of column i of a name."""
        start, count = self.columns[name]
        if not 0 <= i < count:
            raise IndexError(f"{name} has {count} columns")
        return start + i


@cache
def layout_for(markets: int) -> Layout:
    """The layout of M markets; built once."""
    return Layout(markets)


def shifted(digits: list[int], by: int) -> list[int]:
    """Digit k - by at row k, zero elsewhere."""
    return [digits[k - by] if 0 <= k - by < len(digits) else 0 for k in range(ROWS)]


def only_rows(*chosen: int) -> list[int]:
    """Ones on these rows, zeros on the others."""
    return [int(r in chosen) for r in range(ROWS)]


@cache
def periodic_columns(parameters: StarkParameters) -> dict[str, list[int]]:
    """Columns of period sixteen, the same for every batch: selectors of rows."""
    height, blocks = parameters.height, layout_for(parameters.markets).leaf_blocks
    last = ROWS - 1
    table = {f"row{r}": only_rows(r) for r in range(ROWS)}
    table["not_last"] = only_rows(*range(last))
    power = [1 << r if r < height else 0 for r in range(ROWS)]
    table["power_step"] = [*power[:last], 0]
    table["power_last"] = [0] * last + [power[last]]
    table["level"] = only_rows(*range(height))
    table["link"] = only_rows(*range(height - 1))
    table["leaf_start"] = only_rows(0, blocks)
    chained = (r for r in range(2 * blocks - 1) if r != blocks - 1)
    table["leaf_chain"] = only_rows(*chained)
    table["amount_rows"] = only_rows(*range(AMOUNT_LIMBS))
    table["value_rows"] = only_rows(*range(VALUE_LIMBS))
    table["risk_rows"] = only_rows(*range(RISK_LIMBS))
    table["remainder_rows"] = only_rows(*range(REMAINDER_LIMBS))
    table["fall_rows"] = only_rows(*range(FALL_ROW - 1, FALL_ROW - 1 + RISK_LIMBS))
    for i in range(VALUE_LIMBS):
        table[f"ppm{i}"] = shifted(limbs(PPM, 2), i)
    return table
