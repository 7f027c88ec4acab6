"""Every computed index of the compiled step stays inside its array, and says why.

JAX neither raises nor wraps: a write past the end is dropped and a read is clamped, so
a run would go on with wrong numbers. A place that computes where it writes, or asks for
dropping or clamping, is therefore listed here with the reason why it cannot miss, or
what a miss means. What a spec must hold for it, the specs refuse before the start.
"""

import ast
from collections.abc import Iterator
from dataclasses import replace

import pytest

from market.types.limits import MAX_ACCOUNTS, MAX_AUCTION_ORDERS
from market.venues.dydx_v4.preset import dydx_v4
from rollup.sequencing.ranking import MAX_PLACES
from rollup.types import ChainSpec
from tests.structure import sources

#: Modes of an index that hide a miss.
_HIDING = {"drop", "clip", "fill", "wrap", "promise_in_bounds"}

_NAMES = (
    "accounts, markets, slots and targets are those of a message that passed "
    "check_names (market/arrays/admission.py); of one that did not nothing is written"
)
#: Reason -> the functions that it holds for, as `file::function`.
REASONS: dict[str, tuple[str, ...]] = {
    _NAMES: (
        "market/arrays/clearing.py::finish_order",
        "market/arrays/cover.py::reserve_anew",
        "market/arrays/deleveraging.py::_close_allocated",
        "market/arrays/deleveraging.py::_changed",
        "market/arrays/deleveraging.py::_close_against",
        "market/arrays/fills.py::change_position",
        "market/arrays/fills.py::record_fill",
        "market/arrays/fills.py::reserve",
        "market/arrays/fills.py::trade",
        "market/arrays/funds.py::deposit",
        "market/arrays/funds.py::withdraw",
        "market/arrays/lane.py::note",
        "market/arrays/liquidation.py::apply_insurance",
        "market/arrays/liquidation.py::mark_pending",
        "market/arrays/liquidation.py::note_liquidation",
        "market/arrays/matching.py::_match",
        "market/arrays/prevention.py::_take_off",
        "market/arrays/prevention.py::has_self_trade",
        "market/arrays/rounds.py::admit_liquidation",
        "market/arrays/staged.py::start_cooldown",
        "market/arrays/takeover.py::_apply",
        "market/arrays/takeover.py::_is_margined",
    ),
    "the spec refuses a vault that is no account; the rule has one": (
        "market/arrays/deleveraging.py::_cover_debt",
        "market/arrays/staged.py::backstop",
    ),
    "marks are walked by their places, each below accounts x markets": (
        "market/arrays/deleveraging.py::_walk_marks.body",
    ),
    "places of a side are below its count, and the count is at most the capacity": (
        "market/arrays/book.py::_shift",
        "market/arrays/book.py::pop",
        "market/arrays/clearing.py::apply_column",
        "market/arrays/matching.py::reduce",
    ),
    "entries that go are sent past the end, which drops them": (
        "market/arrays/book.py::close_gaps",
        "market/arrays/messages.py::_log",
        "rollup/commitments/merkle/paths.py::update_leaves.write",
        "rollup/commitments/merkle/sparse.py::_one_level",
    ),
    "a round has a row for every transaction of the block, and each takes one": (
        "market/arrays/prevention.py::prevent",
        "market/arrays/rounds.py::append",
        "market/arrays/rounds.py::reduce_in_round",
    ),
    "the index is a permutation of the places, from a sort": (
        "market/arrays/auction.py::_fill",
        "market/arrays/auction.py::clear",
        "market/arrays/deleveraging.py::_walk",
        "rollup/commitments/merkle/sparse.py::_sparse",
        "rollup/sequencing/ranking.py::in_sequence",
    ),
    "outcomes are a Status, which the counters have a place for each": (
        "market/arrays/block.py::close_block",
        "market/upkeep/stops.py::note_refusals",
    ),
    "the index is clamped in front, where what lies beyond has no weight": (
        "market/arrays/sides.py::_totals_around.at",
    ),
    "the place is taken modulo the length of the ring": (
        "market/upkeep/funding_clock.py::vote_premium",
        "rollup/settlement/payouts.py::pay",
        "rollup/settlement/payouts.py::request",
    ),
    "the shapes are static and the loop's bounds are theirs": (
        "rollup/commitments/hashing/blake2s.py::hash_columns.absorb",
        "rollup/commitments/hashing/keccak.py::hash_columns.absorb",
        "rollup/commitments/merkle/tree.py::_forest.hash_block",
    ),
    "a scheme's places are of its mempool: the trial of `shakeout conform` checks "
    "those from outside; a reason beyond the last counts as the last": (
        "rollup/admission.py::take_out",
    ),
    "the last bucket is for all that is longer": ("rollup/histogram.py::add",),
    "a batch is sealed only where the run has room for it; else the write puts back "
    "what stood there": (
        "rollup/settlement/pipeline.py::_work",
        "rollup/settlement/pipeline.py::seal.written",
    ),
    "an account or a group that does not exist counts as the last one; the exchange "
    "refuses what the account sent": (
        "agents/measure/measures.py::_follow_money",
        "rollup/mempool.py::_that_fit.drop_the_last",
        "rollup/sequencing/ranking.py::charge_senders",
    ),
    "groups are numbered by the spec": ("agents/run.py::reading_of",),
    "before the run the first price holds; a block after its last sets "
    "`Fault.OVERRUN`, and the run is unsound": ("agents/views.py::delayed",),
}


def is_fixed(index: ast.expr) -> bool:
    """Whether an index is written out: numbers and slices of numbers."""
    match index:
        case ast.Tuple():
            return all(is_fixed(part) for part in index.elts)
        case ast.UnaryOp():
            return is_fixed(index.operand)
        case ast.Slice():
            ends = (index.lower, index.upper, index.step)
            return all(end is None or is_fixed(end) for end in ends)
    return isinstance(index, ast.Constant)


def is_computed(node: ast.AST) -> bool:
    """Whether a node writes at a computed place, or hides a miss."""
    match node:
        case ast.Subscript(value=ast.Attribute(attr="at")):
            return not is_fixed(node.slice)
        case ast.Call():
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            modes = (k.value for k in node.keywords if k.arg == "mode")
            hides = any(getattr(mode, "value", None) in _HIDING for mode in modes)
            return hides or called.startswith("dynamic_")
    return False


def computed_in(node: ast.AST, within: str = "") -> Iterator[str]:
    """The functions of a tree that index by what they compute."""
    for child in ast.iter_child_nodes(node):
        name = within
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            name = f"{within}.{child.name}" if within else child.name
        if is_computed(child):
            yield within
        yield from computed_in(child, name)


def found() -> set[str]:
    return {
        f"{path}::{function}"
        for path in sources.files("market", "rollup", "agents")
        for function in computed_in(sources.tree(path))
    }


def test_computed_indices_are_seen():
    code = """
def inner(x, i):
    x.at[0].set(1), x.at[:, -1].set(1), x.at[1:3].set(1)
def outer(x, i):
    def writes(): x.at[:, i].add(1)
    class Gathers:
        def drops(self): x.at[0].set(1, mode="drop")
def slices(x, i): lax.dynamic_slice(x, (i,), (2,))
"""
    assert set(computed_in(ast.parse(code))) == {
        "outer.writes",
        "outer.Gathers.drops",
        "slices",
    }


def test_every_computed_index_has_its_reason():
    listed = {place for places in REASONS.values() for place in places}
    assert found() - listed == set(), "say why it cannot miss, or refuse it"
    assert listed - found() == set(), "reasons that have outlived their function"


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("vault", 4),
        ("vault", -2),
        ("accounts", 0),
        ("accounts", MAX_ACCOUNTS + 1),
        ("slots", 0),
        ("book_capacity", 0),
        ("votes_per_sample", 0),
        ("funding_offset_blocks", -1),
        ("funding_offset_blocks", 10**9),
    ],
)
def test_a_venue_that_would_be_indexed_past_its_end_is_refused(number, value):
    spec, _ = dydx_v4(("BTC",), accounts=4)
    with pytest.raises(ValueError, match=f"{number} = .*: must be"):
        replace(spec, **{number: value})


@pytest.mark.parametrize(
    "shape", [{"queue": 0}, {"queue": MAX_PLACES + 1}, {"block_txs": 513}]
)
def test_a_chain_whose_shapes_do_not_fit_is_refused(shape):
    with pytest.raises(ValueError, match=f"{next(iter(shape))} = .*: must be"):
        ChainSpec(**shape)


def test_an_auction_of_more_orders_than_a_sort_key_tells_apart_is_refused():
    from experiments.build.worlds import build
    from experiments.config import Config
    from experiments.config.errors import ConfigError

    def config(capacity, policy="batch_auction"):
        return Config.model_validate(
            {
                "venue": {"book_capacity": capacity},
                "sequencer": {"policy": policy, "block_txs": 256},
            }
        )

    most = (MAX_AUCTION_ORDERS - 256) // 2
    build([config(most), config(8192, "fcfs")])
    with pytest.raises(ConfigError, match="orders of an auction = 4,098: must be"):
        build([config(most + 1)])
