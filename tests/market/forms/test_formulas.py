"""The three forms give one number for each formula: a change of one copy is seen."""

import numpy as np
import pytest

from market.types.specs import Deleveraging
from tests.market.forms import formulas

#: Each margin rule, and the ranking that goes with it here.
VENUES = {
    "dydx_v4": (Deleveraging.HYPERLIQUID, Deleveraging.BINANCE),
    "starkex": (Deleveraging.BITMEX,),
}
CASES = [(preset, rule) for preset, rules in VENUES.items() for rule in rules]


def _slow(preset, rule):
    """StarkEx closes by bisection: seconds to compile."""
    marks = pytest.mark.slow if preset == "starkex" else ()
    return pytest.param(preset, rule, id=f"{preset}-{rule.name}", marks=marks)


@pytest.mark.parametrize(("preset", "rule"), [_slow(*case) for case in CASES])
def test_each_formula_gives_one_number_in_all_forms(preset, rule):
    for seed in range(4):
        case = formulas.random_case(seed, preset, rule)
        tables = {form: table(case) for form, table in formulas.FORMS.items()}
        for form in ("kernels", "arrays"):
            for place, formula in enumerate(formulas.FORMULAS):
                own, twin = (tables[f][..., place] for f in (form, "twin"))
                np.testing.assert_array_equal(own, twin, f"{formula} of the {form}")


def test_the_cases_see_both_answers_of_every_question():
    seen = [
        formulas.twin_table(formulas.random_case(seed, preset, rule))
        for preset, rule in CASES
        for seed in range(4)
    ]
    columns = np.concatenate([table.reshape(-1, table.shape[-1]) for table in seen]).T
    for formula, column in zip(formulas.FORMULAS, columns, strict=True):
        assert len(set(column.tolist())) > 1, formula
