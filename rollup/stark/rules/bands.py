"""Columns that follow from the public inputs alone, and their values anywhere.

The updates of a segment stand in neighbouring slots of sixteen rows: a *band*. All
slots of a band show the same sixteen public numbers in each of these columns: the
segment's prices, risks and funding indices, limb by limb where the rules multiply
them, and which slots hold an update at all. Behind the last update the band of idle
slots keeps the numbers of the last segment.

Nobody commits to these columns. The prover tiles them; the verifier computes their
values at its point from the Lagrange basis, summed up over each band: a few field
operations for each row of the trace, however many segments there are.

Plain Python; the verifier imports it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rollup.stark.rules import layout as lay
from rollup.stark.rules.arithmetic import (
    ZERO,
    Ext,
    P,
    cofactor,
    minimal_polynomial,
    root_of_unity,
)
from rollup.stark.rules.parameters import LIMB, ROWS, StarkParameters
from rollup.stark.rules.statement import AMOUNT_BOUND, PublicInputs, Segment


@dataclass(frozen=True)
class Band:
    """Neighbouring slots with equal public numbers.

    Attributes:
        start, end: slots, the end not included.
        rows: name of a column -> its numbers on the sixteen rows of each slot.
    """

    start: int
    end: int
    rows: dict[str, list[int]]


def index_places(markets: int, blocks: int) -> dict[int, list[tuple[int, int, int]]]:
    """Where a new leaf's hash takes in funding indices.

    Returns:
        Input word j of the compression -> (row, market, element of three) of each.
    """
    out: dict[int, list[tuple[int, int, int]]] = {}
    for m in range(markets):
        for e in range(3):
            k = 4 + 5 * m + 2 + e
            place = (blocks + k // lay.DIGEST, m, e)
            out.setdefault(k % lay.DIGEST, []).append(place)
    return dict(sorted(out.items()))


def _numbers(parameters: StarkParameters, public: PublicInputs, segment: Segment):
    """What a segment's slots show, active or not."""
    rows: dict[str, list[int]] = {}
    values, risks = public.lot_values(segment), public.lot_risks(segment)
    elements = []
    for m in range(parameters.markets):
        biased = segment.funding_indices[m] + AMOUNT_BOUND
        index = lay.limbs(biased, lay.AMOUNT_LIMBS)
        value = lay.limbs(values[m], lay.PRICE_LIMBS)
        risk = lay.limbs(risks[m], lay.RISK_PRICE_LIMBS)
        for i in range(lay.POSITION_LIMBS):
            rows[f"index{m}_{i}"] = lay.shifted(index, i)
            rows[f"value{m}_{i}"] = lay.shifted(value, i)
            rows[f"risk{m}_{i}"] = lay.shifted(risk, i)
        low, high = index[0] + LIMB * index[1], index[2] + LIMB * index[3]
        elements.append((low, high, index[4]))
    blocks = lay.layout_for(parameters.markets).leaf_blocks
    for j, places in index_places(parameters.markets, blocks).items():
        column = [0] * ROWS
        for row, m, e in places:
            column[row] = elements[m][e]
        rows[f"new_leaf{j}"] = column
    return rows


def _activity(parameters: StarkParameters, active: bool) -> dict[str, list[int]]:
    """Where an active update moves the root, and where it adds to the sums."""
    nothing = [0] * ROWS

    def only(row: int) -> list[int]:
        return lay.only_rows(row) if active else nothing

    rows = {f"active{r}": only(r) for r in range(lay.AMOUNT_LIMBS)}
    return {"moves": only(parameters.height - 1), **rows}


def bands(parameters: StarkParameters, public: PublicInputs) -> list[Band]:
    """The bands of a batch, in order; together they cover every slot."""
    out, start, numbers = [], 0, {}
    for segment in public.segments:
        numbers = _numbers(parameters, public, segment)
        if segment.updates:
            rows = {**_activity(parameters, True), **numbers}
            out.append(Band(start, start + segment.updates, rows))
            start += segment.updates
    if start < parameters.capacity:
        rows = {**_activity(parameters, False), **numbers}
        out.append(Band(start, parameters.capacity, rows))
    return out


def band_weights(found: Sequence[Band], point: Ext, rows: int) -> list[list[Ext]]:
    """Sums of the Lagrange basis at a point: of each band, for each row of a slot.

    Basis function a of the rows-th roots of unity is ``c a / (z - a)`` at z, with
    ``c = (z^rows - 1) / rows``. With m the minimal polynomial of z over the base field,
    ``1 / (z - a) = -q(a) / m(a)`` for a cubic q: only base-field inverses are needed,
    and the four coefficients of q wait outside the sums.

    Raises:
        ZeroDivisionError: the point is one of those roots.
    """
    quartic = minimal_polynomial(point)
    cubic = cofactor(quartic, point)
    scale = (point**rows - 1) * pow(rows, -1, P) * -1
    omega = root_of_unity(rows)
    out, x = [], 1
    for band in found:
        count = ROWS * (band.end - band.start)
        sums, x = _power_sums(quartic, x, omega, count)
        out.append(
            [
                scale * sum((c * v for c, v in zip(cubic, row, strict=True)), ZERO)
                for row in sums
            ]
        )
    return out


def _power_sums(quartic: Sequence[int], x: int, omega: int, count: int):
    """Sums of x^(k+1) / m(x), k = 0 … 3, for each row of a slot, over ``count`` rows.

    Returns:
        The sums [16][4], and the root of unity after the last row.
    """
    m0, m1, m2, m3, _ = quartic
    points, values, prefix, product = [], [], [], 1
    for _ in range(count):
        value = ((((x + m3) * x + m2) * x + m1) % P * x + m0) % P
        points.append(x)
        values.append(value)
        prefix.append(product)
        product = product * value % P
        x = x * omega % P
    if not product:
        raise ZeroDivisionError("the point is a root of unity")
    inverse = pow(product, -1, P)
    sums = [[0] * 4 for _ in range(ROWS)]
    for i in range(count - 1, -1, -1):
        a, row = points[i], sums[i % ROWS]
        term = inverse * prefix[i] % P
        inverse = inverse * values[i] % P
        for k in range(4):
            term = term * a % P
            row[k] += term
    return [[v % P for v in row] for row in sums], x


def values_at(
    parameters: StarkParameters, public: PublicInputs, point: Ext
) -> dict[str, Ext]:
    """Values of all these columns at a point outside the trace's domain.

    Raises:
        ZeroDivisionError: the point is in the domain.
    """
    found = bands(parameters, public)
    weights = band_weights(found, point, parameters.rows)
    totals: dict[str, list[int]] = {}
    for band, row_weights in zip(found, weights, strict=True):
        for name, numbers in band.rows.items():
            total = totals.setdefault(name, [0] * 4)
            for number, weight in zip(numbers, row_weights, strict=True):
                if number:
                    for k in range(4):
                        total[k] += number * weight.c[k]
    return {name: Ext(tuple(v % P for v in total)) for name, total in totals.items()}
