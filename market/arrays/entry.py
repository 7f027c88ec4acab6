"""The block of the exchange by array operations, for any device.

A scan over the transactions of a block, all lanes side by side. Equal to the bit with
`market.kernels.entry`; the code of one lane stands in `market.arrays.block`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap

from market.arrays.block import run_auction_block, run_continuous_block
from market.arrays.lane import LANES, Env, Lane, Sizes, Txs, empty_info
from market.types import layout


def run(static: np.ndarray, state, txs, prices, params, block, seed, now_us):
    """One block; arguments and results as `market.kernels.entry.run`."""
    sizes, multipliers = read_static(static)

    def one_lane(state, txs, prices, params, block, seed, now_us):
        told = block, seed, now_us
        lane, env = enter(sizes, multipliers, state, prices, params, told)
        run_block = run_auction_block if sizes.auction else run_continuous_block
        lane, outcomes = run_block(lane, env, Txs(*txs))
        changed = tuple(getattr(lane, name) for name in layout.STATE_FIELDS)
        return changed, tuple(outcomes), lane.info

    lanes = jax.vmap(one_lane, axis_name=LANES)
    operands = (state, txs, prices, params, block, seed, now_us)

    @custom_vmap
    def single(*operands):
        alone = lanes(*jax.tree.map(lambda x: x[None], operands))
        return jax.tree.map(lambda x: x[0], alone)

    @single.def_vmap
    def mapped(size, is_mapped, *operands):
        def spread(x, has_lanes):
            return x if has_lanes else jnp.broadcast_to(x, (size, *x.shape))

        outputs = lanes(*jax.tree.map(spread, operands, tuple(is_mapped)))
        return outputs, jax.tree.map(lambda _: True, outputs)

    return single(*operands)


def read_static(static: np.ndarray) -> tuple[Sizes, list[int]]:
    """Sizes and multipliers from the static operand."""
    words = [int(word) for word in static]
    count = len(layout.STATIC_FIELDS)
    sizes, per_market = words[:count], words[count:]
    markets = len(per_market) // 2
    isolated = tuple(per_market[markets:])
    return Sizes._make([*sizes, isolated]), per_market[:markets]


def enter(
    sizes: Sizes, multipliers: list[int], state, prices, params, told
) -> tuple[Lane, Env]:
    """The lane of a block that starts, and what the block reads.

    Args:
        sizes: from `read_static`.
        multipliers: from there too.
        state: as `run` takes it, of one lane; and so are prices and params.
        prices: of margin, and the marks of the block before.
        params: numbers of the venue.
        told: ``(block, seed, now_us)``.
    """
    fields = dict(zip(layout.STATE_FIELDS, state, strict=True))
    zero = fields["position"] * 0
    lane = Lane(
        **fields,
        info=empty_info(sizes.markets),
        liquidated=zero,
        used=zero[:, 0],
        paid=zero[:, 0],
        set_aside=jnp.zeros(1 + sizes.markets, jnp.int64) + zero[0, 0],
    )
    (price, previous_mark), (block, seed, now_us) = prices, told
    multiplier = jnp.array(multipliers, jnp.int64)
    funds = [1 + m if own else 0 for m, own in enumerate(sizes.isolated)]
    return lane, Env(
        price=price,
        multiplier=multiplier,
        unit=price * multiplier,
        fraction=params[0],
        params=params,
        block=block,
        seed=seed,
        previous_mark=previous_mark,
        now_us=now_us,
        sizes=sizes,
        fund=jnp.array(funds, jnp.int64),
    )
