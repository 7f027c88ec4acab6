"""The rules of a family (`agents.family`): random members who see random blocks."""

import pickle
from dataclasses import fields, replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from pydantic import create_model

from agents.family import Family, GroupSpec, Pending, View
from experiments.build.numbers import numbers_of
from experiments.config.declared import fields_of
from experiments.config.groups import group_model
from experiments.config.values import Section
from experiments.conform.rules import (
    Rule,
    must_be_integer,
    require,
    require_equal,
    require_integers,
)
from market.numbers.randomness import WHOLE_RUN, block_key, run_key
from market.numbers.units import QUANTA_PER_USD, as_int
from market.types.orders import Kind, Tx

#: Blocks, members N, markets M, places of the danger list D, waiting transactions W.
_BLOCKS, _MEMBERS, _MARKETS, _DANGER, _WAITING = 24, 6, 3, 8, 16
_BLOCK_US = 1_000_000
_FIRST, _ACCOUNTS = 5, 40
_LANES = 3


def _spec(family: Family) -> GroupSpec:
    return GroupSpec(family, "trial", min(_MEMBERS, family.most), _FIRST, number=1)


def _views(family: Family, seed: int) -> View:
    """What the members see in each block; leaves [T, ...]."""
    rng, members = np.random.default_rng(seed), _spec(family).count

    def some(least: int, most: int, *shape: int) -> Array:
        return as_int(rng.integers(least, most, (_BLOCKS, *shape)))

    block = np.arange(_BLOCKS)
    oracle = some(900, 1100, _MARKETS)
    equity = some(-1_000, 100_000, members) * QUANTA_PER_USD
    return View(
        accounts=jnp.broadcast_to(_spec(family).accounts, (_BLOCKS, members)),
        block=as_int(block),
        height=as_int(block),
        now_us=as_int(block * _BLOCK_US),
        block_us=as_int(np.full(_BLOCKS, _BLOCK_US)),
        price=some(900, 1100, _MARKETS),
        change_ppm=some(-5_000, 5_000, _MARKETS),
        swing_ppm=some(0, 10_000, _MARKETS),
        oracle=oracle,
        oracle_age_us=some(0, 5_000_000, _MARKETS),
        bid=jnp.where(some(0, 5, _MARKETS) > 0, oracle - 1, 0),
        ask=jnp.where(some(0, 5, _MARKETS) > 0, oracle + 1, 0),
        bid_lots=some(0, 500, _MARKETS),
        ask_lots=some(0, 500, _MARKETS),
        collateral=equity + some(-10_000, 10_000, members) * QUANTA_PER_USD,
        position=some(-500, 500, members, _MARKETS),
        cost=some(-50_000, 50_000, members, _MARKETS) * QUANTA_PER_USD,
        open_lots=some(0, 50, members, _MARKETS, 2),
        equity=equity,
        maintenance=some(0, 50_000, members) * QUANTA_PER_USD,
        initial=some(0, 80_000, members) * QUANTA_PER_USD,
        multiplier=jnp.full((_BLOCKS, _MARKETS), 1_000, jnp.int64),
        danger=some(-1, _ACCOUNTS, _DANGER),
        danger_market=some(0, _MARKETS, _DANGER),
        danger_lots=some(-500, 500, _DANGER),
        pending=Pending(txs=_pending(rng)) if family.watches else None,
    )


def _pending(rng: np.random.Generator) -> Tx:
    """Waiting transactions, two fifths of them hidden; [T, W]."""
    shape = (_BLOCKS, _WAITING)
    columns = {field.name: rng.integers(0, 3, shape) for field in fields(Tx)}
    columns["kind"] = np.where(rng.random(shape) < 0.6, Kind.ORDER, Kind.NONE)
    columns["side"] = rng.choice([-1, 1], shape)
    columns["ticks"] = rng.integers(900, 1100, shape)
    columns["lots"] = rng.integers(1, 2_000, shape)
    columns["account"] = rng.integers(0, _ACCOUNTS, shape)
    return Tx(**{name: as_int(column) for name, column in columns.items()})


def _params(family: Family) -> Any:
    """Its numbers where a config says nothing."""
    keys: dict[str, Any] = fields_of(family.params, family.defaults)
    section = create_model("Numbers", __base__=Section, **keys)
    return numbers_of(family.params, section())


def _run(family: Family, seed: Array, views: View, params: Any) -> tuple[Any, Tx]:
    """The memory at the end and the transactions [T, N, K] of a run; traceable."""
    spec, key = _spec(family), run_key(seed, 0)

    def act(memory, view):
        own = spec.key(block_key(key, view.block))
        return family.act(own, memory, view, params, spec=spec)

    memory = family.init(
        spec.key(block_key(key, WHOLE_RUN)),
        params,
        jnp.full((spec.count,), 50_000 * QUANTA_PER_USD, jnp.int64),
        spec=spec,
        markets=_MARKETS,
    )
    return lax.scan(act, memory, views)


@cache
def _alone(family: Family) -> tuple[Any, Tx]:
    run = jax.jit(partial(_run, family))
    return jax.device_get(run(as_int(0), _views(family, 0), _params(family)))


def _is_a_value(family: Family) -> str:
    require(family.name.isidentifier(), f"name = {family.name!r}: must be a word")
    require(family.title.isidentifier(), f"title = {family.title!r}: must be a word")
    hash(family)
    group_model(family)
    again = pickle.loads(pickle.dumps(family))
    require(again == family, "a copy sent to a worker is not equal to it")
    return f"{family.name}: {len(jax.tree.leaves(_params(family)))} numbers"


def _shape(family: Family) -> str:
    _, intents = _alone(family)
    shape = (_BLOCKS, _spec(family).count, family.intents)
    for field in fields(Tx):
        column = getattr(intents, field.name)
        require(
            column.shape == shape,
            f"{field.name} has the shape {column.shape[1:]} instead of {shape[1:]}",
        )
        require(column.dtype == np.int64, f"{field.name} is {column.dtype}")
    return f"{shape[1]} members, {shape[2]} transactions each"


def _own_accounts(family: Family) -> str:
    _, intents = _alone(family)
    live = intents.kind != Kind.NONE
    own = np.asarray(_spec(family).accounts)[None, :, None]
    foreign = live & (intents.account != own)
    require(not foreign.any(), f"{foreign.sum()} sent for an account of others")
    return f"{live.sum()} transactions of their own accounts"


def _readable(family: Family) -> str:
    _, intents = _alone(family)
    live = intents.kind != Kind.NONE
    known = np.isin(intents.kind, [int(kind) for kind in Kind])
    require(known.all(), f"kinds {np.unique(intents.kind[~known])} do not exist")
    elsewhere = live & ((intents.market < 0) | (intents.market >= _MARKETS))
    require(not elsewhere.any(), f"{elsewhere.sum()} in markets that do not exist")
    negative = live & ((intents.lots < 0) | (intents.ticks < 0))
    require(not negative.any(), f"{negative.sum()} with negative lots or ticks")
    return "kinds and markets exist, no lots or ticks below zero"


def _sealed(family: Family) -> str:
    if not family.watches:
        return "it does not look at the mempool"
    hidden = replace(_views(family, 0), pending=None)
    jax.eval_shape(partial(_run, family), as_int(0), hidden, _params(family))
    return "it decides without a mempool too"


def _again(family: Family) -> str:
    run = jax.jit(partial(_run, family))
    made = run(as_int(0), _views(family, 0), _params(family))
    require_equal(_alone(family), made, "the same run again is another")
    return "the same run twice, traced anew"


def _lanes(family: Family) -> str:
    views = [_views(family, seed) for seed in range(_LANES)]
    stacked = jax.tree.map(lambda *rows: jnp.stack(rows), *views)
    lanes = jax.jit(jax.vmap(partial(_run, family), in_axes=(0, 0, None)))
    together = jax.device_get(lanes(jnp.arange(_LANES), stacked, _params(family)))
    lane = jax.tree.map(lambda rows: rows[0], together)
    require_equal(_alone(family), lane, "a lane beside others differs from it alone")
    return f"one of {_LANES} lanes equal to the run alone"


def _integers(family: Family) -> str:
    memory, intents = _alone(family)
    require_integers(memory, "memory")
    require_integers(intents, "transactions")
    run = partial(_run, family)
    return must_be_integer(run, as_int(0), _views(family, 0), _params(family))


RULES = (
    Rule("it is a value that a worker can be sent, and has numbers", _is_a_value),
    Rule("each member sends at most what it says", _shape),
    Rule("members send for their own accounts alone", _own_accounts),
    Rule("what they send can be read", _readable),
    Rule("it copes with a sealed mempool", _sealed),
    Rule("the same run again is the same", _again),
    Rule("the same alone and in a lane", _lanes),
    Rule("integers only", _integers),
)
