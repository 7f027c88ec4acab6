"""The three forms of the exchange have the same files and the same functions in them.

So a rule is found in the same place three times, and a rule that one form lacks is
seen. The forms differ where a loop, a mask or a list asks for it; each difference
stands in a table here with its reason, and a difference that is gone has to leave it.
"""

import ast
from functools import cache
from typing import NamedTuple

from tests.structure import sources

FORMS = ("twin", "kernels", "arrays")
TWIN, KERNELS, ARRAYS = ({form} for form in FORMS)
COMPILED = KERNELS | ARRAYS
LOOPS = TWIN | KERNELS

#: Files that not every form has: who has them, and why.
OWN_FILES = {
    "entry": (COMPILED, "how XLA calls a compiled form; the twin is called as Python"),
    "engine": (
        KERNELS,
        "what blocks and streams share; elsewhere in book or matching",
    ),
    "wide": (KERNELS, "128-bit products; arrays have market.numbers, Python ints"),
    "sides": (ARRAYS, "the running totals that stand for a walk over the orders"),
    "upkeep": (TWIN, "what a block does by itself; compiled, that is market.upkeep"),
    "rules": (TWIN, "the plain formulas; arrays call market.rules"),
}

#: Files whose functions are each form's own: they hold data, not rules.
OWN_WAYS = {
    "lane": "how a form reaches its arrays",
    "book": "how a form holds its orders: lists, columns of a table, masked columns",
}


class Difference(NamedTuple):
    """Functions of a file that only some forms have, and the reason."""

    file: str
    functions: str
    forms: set[str]
    reason: str


DIFFERENCES = [
    Difference(
        "allocation",
        "add_contracts add_floored add_pro_rata scaled",
        KERNELS,
        "arrays share and rank by market.rules, the twin by market.venues.rankings",
    ),
    Difference(
        "allocation",
        "take_by_score take_capped",
        LOOPS,
        "arrays share by market.rules.allocation",
    ),
    Difference(
        "allocation",
        "allocate",
        TWIN | ARRAYS,
        "in the kernels it fills the scratch of deleveraging",
    ),
    Difference(
        "auction",
        "demand fill_side find_price shares supply",
        TWIN,
        "the definition, curve by curve; compiled, it is one pass over sorted orders",
    ),
    Difference(
        "clearing",
        "apply_column",
        COMPILED,
        "compiled, the orders of a market are columns of one table",
    ),
    Difference(
        "clearing",
        "apply_resting apply_waiting",
        LOOPS,
        "masked, one function fills both",
    ),
    Difference("clearing", "gather", ARRAYS, "all columns at once"),
    Difference(
        "clearing", "gather_resting gather_waiting", KERNELS, "one order at a time"
    ),
    Difference(
        "entry",
        "enter read_static",
        ARRAYS,
        "what a block starts from, as values; a kernel is given addresses",
    ),
    Difference("fills", "drop", ARRAYS, "any orders, by a mask over all books"),
    Difference(
        "fills",
        "release reserve",
        COMPILED,
        "the twin sums reservations over the orders when it is asked",
    ),
    Difference(
        "liquidation",
        "execute_liquidation liquidation_order",
        LOOPS,
        "an order is a value there, which liquidations share",
    ),
    Difference(
        "liquidation",
        "fillable_spread",
        KERNELS,
        "arrays call market.rules.liquidation, the twin has an exact fraction",
    ),
    Difference(
        "liquidation",
        "mark_pending note_fill taker_of",
        ARRAYS,
        "masked writes that the other forms make in place",
    ),
    Difference(
        "margin",
        "is_no_riskier is_proven least_equity",
        LOOPS,
        "arrays call market.rules.risk_steps",
    ),
    Difference("matching", "cancel", LOOPS, "masked, it is a whole reduction"),
    Difference(
        "matching", "in_reach take", ARRAYS, "a sweep of a side without own orders"
    ),
    Difference("matching", "match_order", TWIN, "blocks and message streams share it"),
    Difference("matching", "place_of", COMPILED, "the twin asks the book for an order"),
    Difference("messages", "match_native", KERNELS, "how XLA calls the kernel"),
    Difference("messages", "run_message", LOOPS, "masked, a message is many lines"),
    Difference(
        "prevention",
        "has_self_trade",
        ARRAYS,
        "whether to look at all is one question to all lanes",
    ),
    Difference("prevention", "lots_left", ARRAYS, "what is left, then what that frees"),
    Difference("rounds", "cancel_in_round", LOOPS, "masked, it is a whole reduction"),
    Difference(
        "rounds",
        "open_round waiting_liquidation",
        ARRAYS,
        "a round is a table with a row for each transaction",
    ),
    Difference("staged", "note_staged_fill", LOOPS, "arrays have note_fill for all"),
    Difference("staged", "staged_order", LOOPS, "an order is a value there"),
]


@cache
def functions_of(form: str) -> dict[str, set[str]]:
    """The public functions of each file of a form, but for `__init__`."""
    return {
        path.stem: {
            node.name
            for node in sources.tree(path).body
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        }
        for path in sources.files(f"market/{form}")
        if path.stem != "__init__"
    }


def holders(names: dict[str, set[str]]) -> dict[str, set[str]]:
    """Who has each of the names, for the names that not everyone has."""
    result = {}
    for name in set().union(*names.values()):
        has = {form for form, own in names.items() if name in own}
        if has != names.keys():
            result[name] = has
    return result


def test_the_forms_have_the_same_files():
    files = {form: set(functions_of(form)) for form in FORMS}
    assert holders(files) == {name: forms for name, (forms, _) in OWN_FILES.items()}


def test_files_of_one_name_have_the_same_functions():
    found, named = {}, {}
    for file in set().union(*(functions_of(form) for form in FORMS)) - OWN_WAYS.keys():
        names = {f: functions_of(f)[file] for f in FORMS if file in functions_of(f)}
        found |= {(file, name): forms for name, forms in holders(names).items()}
    for file, functions, forms, _ in DIFFERENCES:
        named |= {(file, name): forms for name in functions.split()}
    assert found == named


def test_files_with_ways_of_their_own_do_differ():
    for file in OWN_WAYS:
        assert holders({form: functions_of(form)[file] for form in FORMS})
