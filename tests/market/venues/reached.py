"""Which functions of the market an exchange of each preset calls, seen by running it.

Random blocks of the specification, and what stands around it in `market.block`, as JAX
traces it: oracle and mark, stops and funding. The other forms of the exchange have the
specification's functions under the same names; nothing is compiled.
"""

import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from unittest.mock import patch

import jax
import jax.numpy as jnp

from market import block
from market.twin import upkeep
from market.types.environment import Environment
from market.types.orders import Receipt
from market.types.specs import Deleveraging, Funding
from market.types.state import ExchangeInfo
from market.venues import VENUES
from tests.market.forms import exchange_cases as cases
from tests.market.venues import rule_cases

SEEDS, BLOCKS = 12, 5


@contextmanager
def noting(names: set[str]):
    """Adds the dotted names of the functions of `market` that are called within."""

    def note(frame, event, _):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("market."):
            names.add(f"{module}.{frame.f_code.co_qualname}")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


def _venue(preset: str):
    """A venue of the preset: two markets, the second isolated where that matters."""
    vault = {"vault": 2} if preset == "hyperliquid" else {}
    spec, params = VENUES[preset](
        ("BTC", "SOL"), accounts=cases.ACCOUNTS, slots=2, book_capacity=6, **vault
    )
    clock = {"votes_per_sample": 2, "samples_per_funding": 2}
    if preset == "dydx_v4":
        limits = replace(params, liquidation_max_portion_ppm=jnp.asarray(500_000))
        return replace(spec, votes_per_sample=15), limits
    return replace(spec, **clock) if spec.funding == Funding.HOURLY else spec, params


def _run_specification(spec, params) -> None:
    for seed in range(SEEDS):
        start, table = rule_cases.inputs(seed, spec, params, BLOCKS)
        _, lane = rule_cases.opened(seed, spec, params, start)
        for number, (oracle, previous, rows, word) in enumerate(table, 1):
            lane.price, lane.previous_mark = list(oracle), list(previous)
            lane.now_us = number * rule_cases.BLOCK_US
            cases.run_twin(lane, cases.columns(rows), number, word, bool(seed % 2))


def _run_upkeep(spec, params) -> None:
    """Blocks with Hyperliquid's oracle, mark and funding around them."""
    start, table = rule_cases.inputs(0, spec, params, 9)
    _, lane = rule_cases.opened(0, spec, params, start)
    venue = upkeep.open_hyperliquid(lane, rule_cases.BLOCK_US)
    for number, (oracle, _, rows, word) in enumerate(table):
        reports = [[price] for price in oracle]
        given = upkeep.Given(number, number, reports, word, False, False)
        upkeep.step(venue, cases.rows_of(cases.columns(rows)), given)


def _no_transactions(state, txs, turn, params, *, spec, auction):
    """Stands where the exchange does while what is around it is traced."""
    markets = jnp.zeros((len(spec.markets),), jnp.int64)
    info = dict.fromkeys(ExchangeInfo.__dataclass_fields__, markets[0])
    nothing = jnp.zeros_like(txs.account)
    receipts = dict.fromkeys(Receipt.__dataclass_fields__, nothing)
    return state, Receipt(**receipts), ExchangeInfo(**info)


def _trace(spec, params) -> None:
    """The block around the exchange as JAX traces it."""
    state, _ = cases.start(spec, params, [0] * cases.ACCOUNTS, 0, [60_000, 15_000])
    given = Environment(
        block=jnp.int64(0),
        height=jnp.int64(0),
        is_halted=jnp.asarray(False),
        reports=jnp.zeros((2, 3), jnp.int64),
        seed_word=jnp.int64(0),
        block_us=1_000_000,
    )
    run = partial(block.step, spec=spec, auction=False)
    with patch.object(block, "execute", _no_transactions):
        jax.make_jaxpr(run)(state, cases.columns([]), given, params)


@cache
def reached(preset: str) -> frozenset[str]:
    """Dotted names of what the exchange of a preset calls."""
    spec, params = _venue(preset)
    names: set[str] = set()
    with noting(names):
        _run_specification(spec, params)
        if spec.funding == Funding.HOURLY:
            _run_upkeep(spec, params)
        _trace(spec, params)
    return frozenset(names)


@cache
def reached_by_deleveraging() -> frozenset[str]:
    """The same of an exchange under each rule of deleveraging."""
    names: set[str] = set()
    with noting(names):
        for rule in Deleveraging:
            _run_specification(*rule_cases.ruled(rule))
    return frozenset(names)
