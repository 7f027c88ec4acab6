"""One block of the world on the host, taken in a single transfer."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from agents import views
from agents.world import Setting, World, WorldParams, WorldSpec
from market.native.jit import jit_step


class Snapshot(NamedTuple):
    """The world on the host between two blocks; NumPy, int64.

    Attributes:
        block: number of the next block.
        height: blocks made; expiry counts in it.
        price: [M] outside price in ticks.
        oracle: [M] oracle price in ticks.
        bid, ask: [M] best quotes in ticks, 0 without.
        collateral, position, open_lots, equity, maintenance, start: by account.
        insurance: quanta in all insurance funds.
        mempool: transactions waiting.
    """

    block: int
    height: int
    price: np.ndarray
    oracle: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    collateral: np.ndarray
    position: np.ndarray
    open_lots: np.ndarray
    equity: np.ndarray
    maintenance: np.ndarray
    start: np.ndarray
    insurance: int
    mempool: int


def snapshot_of(
    world: World, setting: Setting, params: WorldParams, *, spec: WorldSpec
) -> Snapshot:
    """The snapshot of a world between two blocks."""
    data: dict[str, Any] = jax.device_get(_fields(world, setting, params, spec=spec))
    for name in ("block", "height", "insurance", "mempool"):
        data[name] = int(data[name])
    return Snapshot(**data)


@partial(jit_step, static_argnames="spec")
def _fields(world: World, setting: Setting, params, *, spec) -> dict[str, Array]:
    state = world.exchange
    risk = views.account_risk(state, params.venue, spec.venue)
    ticks, _ = views.best_quotes(state)
    return {
        "block": world.block,
        "height": world.chain.height,
        "price": views.delayed(setting.path, world.block, jnp.int64(0)),
        "oracle": state.oracle,
        "bid": ticks[:, 0],
        "ask": ticks[:, 1],
        "collateral": state.collateral,
        "position": state.position,
        "open_lots": state.open_lots,
        "equity": risk.equity,
        "maintenance": risk.maintenance,
        "start": setting.start,
        "insurance": jnp.sum(state.insurance),
        "mempool": jnp.sum(world.chain.waiting.tx.kind != 0),
    }
