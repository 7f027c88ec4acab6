"""The block of the exchange by array operations, for any device.

A scan over the transactions of a block, all lanes side by side. Equal to the bit with
`market.kernels.entry`; the code of one lane stands in `market.arrays`.
"""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap

from market.arrays import batch
from market.arrays import book as books
from market.arrays import matching as continuous
from market.arrays.cover import drop_undercollateralised
from market.arrays.deleveraging import close_gate, deleverage_pending
from market.arrays.lane import LANES, Lane, Sizes, when
from market.arrays.margin import reckon
from market.kernels import lane as lay
from market.types import layout


def run(static: np.ndarray, state, txs, prices, params, block, seed, now_us):
    """One block; arguments and results as `market.kernels.entry.run`."""
    words = [int(word) for word in static]
    markets = words[lay.MARKETS]
    multipliers = words[lay.STATIC_WORDS :][:markets]
    isolated = tuple(words[lay.STATIC_WORDS + markets :])
    sizes = Sizes._make([*words[: lay.STATIC_WORDS], isolated])

    def one_lane(state, txs, prices, params, block, seed, now_us):
        multiplier, (price, previous_mark) = jnp.array(multipliers, jnp.int64), prices
        held = state[_POSITION]
        env = reckon(price, multiplier, params, held, block, seed, sizes)
        places = [1 + m if own else 0 for m, own in enumerate(sizes.isolated)]
        env = env._replace(
            previous_mark=previous_mark,
            now_us=now_us,
            fund=jnp.array(places, jnp.int64),
        )
        return _run_lane(state, txs, env, sizes)

    lanes = jax.vmap(one_lane, axis_name=LANES)
    operands = (state, txs, prices, params, block, seed, now_us)

    @custom_vmap
    def single(*operands):
        alone = lanes(*jax.tree.map(lambda x: x[None], operands))
        return jax.tree.map(lambda x: x[0], alone)

    @single.def_vmap
    def batched(size, in_batched, *operands):
        def spread(x, is_batched):
            return x if is_batched else jnp.broadcast_to(x, (size, *x.shape))

        outputs = lanes(*jax.tree.map(spread, operands, tuple(in_batched)))
        return outputs, jax.tree.map(lambda _: True, outputs)

    return single(*operands)


_POSITION = layout.STATE_FIELDS.index("position")


def _run_lane(state, txs, env, sizes: Sizes):
    """One block of one lane, under the axis `LANES`."""
    lane = _enter(state, sizes)
    expired = (lane.expiry > 0) & (lane.expiry < env.block)
    lane = when(
        expired.any(), lambda x: books.drop_expired(x, env.block, sizes.slots), lane
    )
    lane = drop_undercollateralised(lane, env, sizes)
    txs = dict(zip(layout.TX_FIELDS, txs, strict=True))
    txs["side"] = jnp.clip(txs["side"], -2, 2)  # -1 and 1 are good, the rest is not
    if sizes.auction:
        lane, receipts = batch.run(lane, _Txs(**txs), env, sizes)
    else:
        lane, receipts = lax.scan(
            lambda lane, tx: continuous.execute_one(lane, tx, env, sizes),
            lane,
            _Txs(**txs),
        )
    lane = deleverage_pending(lane, env, sizes)
    lane = close_gate(lane, env)
    return (
        tuple(getattr(lane, name) for name in layout.STATE_FIELDS),
        receipts,
        lane.info,
    )


def _enter(state, sizes: Sizes) -> Lane:
    """The lane of a block that starts."""
    zero = state[_POSITION] * 0
    return Lane(
        *state,
        info=jnp.zeros((lay.INFO_ROWS, sizes.markets), jnp.int64),
        liquidated=zero,
        used=zero[:, 0],
        paid=zero[:, 0],
        set_aside=jnp.zeros(1 + sizes.markets, jnp.int64) + zero[0, 0],
    )


@jax.tree_util.register_pytree_node_class
class _Txs(SimpleNamespace):
    """The fields of transactions that a block reads."""

    def tree_flatten(self):
        """Fields in the order of `layout.TX_FIELDS`."""
        return tuple(getattr(self, name) for name in layout.TX_FIELDS), None

    @classmethod
    def tree_unflatten(cls, _, fields):
        """Inverse of `tree_flatten`."""
        return cls(**dict(zip(layout.TX_FIELDS, fields, strict=True)))
