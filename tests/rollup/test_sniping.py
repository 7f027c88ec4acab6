"""How often a maker is sniped in a batch auction: min(1, x/τ) for a reaction x.

A chain of the lab's own parts (mempool, ordering scheme, exchange) in many lanes. Each
has a maker that moves its quote once a block, and a sniper. In the third block the
outside price jumps at a moment drawn uniformly; the sniper takes the old quote at once
and the maker's answer arrives x later. So does what the maker sent in the block before,
which may still be on its way then: only where the *last* replacement of a slot counts
is the chance x/τ. Where the first does it is 1 - (1 - x/τ)².

Source: Budish, Cramton and Shim, "The High-Frequency Trading Arms Race", Quarterly
Journal of Economics 130 (2015), section VII.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from market.exchange import execute
from market.numbers.randomness import block_key, run_key
from market.numbers.units import QUANTA_PER_USD as USD
from market.numbers.units import as_int
from market.types.environment import Turn
from market.types.orders import BUY, SELL, Flag, Kind
from market.types.state import open_exchange
from market.venues.dydx_v4.preset import dydx_v4
from rollup import chain
from rollup.faults.windows import draw_windows
from rollup.sequencing import SCHEMES
from rollup.types import ChainParams, ChainSpec, Executor, Moment, Offered
from tests.rollup.faults.test_windows import conditions, faults
from tests.rollup.rollups import numbers_for
from tests.rollup.settlement.test_pipeline import numbers, outage
from tests.rollup.transactions import txs

BLOCK_US, BLOCKS, JUMP_BLOCK, LANES = 1_000_000, 4, 2, 3_000
MAKER, SNIPER = 0, 1
SPEC, PARAMS = dydx_v4(("BTC",), accounts=2, book_capacity=4)
SCHEME = SCHEMES["batch_auction"]
CHAIN = ChainSpec(scheme=SCHEME, queue=8, block_txs=8, batch_blocks=BLOCKS)

#: What may be sent in a block: the maker's quote before and after the jump, the snipe.
QUOTE = {"kind": Kind.REPLACE, "account": MAKER, "side": SELL, "lots": 1}
ROWS = [
    {**QUOTE, "ticks": 60_000},
    {**QUOTE, "ticks": 61_000},
    {"account": SNIPER, "side": BUY, "lots": 1, "ticks": 60_500, "flags": Flag.IOC},
]


def offered(block, sent_us, late_us):
    """What a lane sends in a block: a quote of the maker, at the jump the snipe too."""
    is_jump = block == JUMP_BLOCK
    rows = txs(ROWS)
    sends = jnp.stack([block < JUMP_BLOCK, is_jump, is_jump])
    return replace(
        rows,
        kind=jnp.where(sends, rows.kind, Kind.NONE),
        sent_us=jnp.broadcast_to(sent_us, rows.kind.shape),
        arrival_us=sent_us + jnp.stack([late_us, late_us, 0]),
    )


@jax.jit
@jax.vmap
def is_sniped(sent_us, late_us):
    """Whether the sniper of each lane gets the old quote.

    Args:
        sent_us: [BLOCKS] when the maker decides in each block; the jump is one of them.
        late_us: [] how long its messages take.
    """
    params = ChainParams(sequencer=numbers_for(SCHEME), batches=numbers())
    windows = draw_windows(run_key(0, 0), faults(outage("da_outage", 0, 0)))

    def execute_block(exchange, records, mode, height):
        turn = Turn(height, jnp.int64(0))
        return execute(exchange, records, turn, PARAMS, spec=SPEC, auction=True)

    def step(carry, block):
        state, exchange = carry
        moment = Moment(block, BLOCK_US, conditions(windows, block * BLOCK_US))
        state, exchange, _ = chain.step(
            block_key(run_key(0, 0), block),
            state,
            exchange,
            Offered(offered(block, sent_us[block], late_us), as_int([0, 1])),
            moment,
            params,
            spec=CHAIN,
            executor=Executor(execute_block, lambda exchange: exchange.collateral),
        )
        return (state, exchange), None

    start = (
        chain.open_chain(params, spec=CHAIN, blocks=BLOCKS, accounts=2),
        open_exchange(SPEC, as_int([10_000 * USD] * 2), as_int(0), as_int([60_000])),
    )
    (_, exchange), _ = jax.lax.scan(step, start, jnp.arange(BLOCKS))
    return exchange.position[SNIPER, 0] > 0


@pytest.mark.parametrize("reaction", [0.1, 0.25, 0.5, 0.8, 1.0, 1.3])
def test_the_chance_to_be_sniped_is_reaction_over_interval(reaction):
    rng = np.random.default_rng(7)
    sent_us = rng.integers(BLOCK_US, size=(LANES, BLOCKS))
    sent_us += np.arange(BLOCKS) * BLOCK_US
    late_us = np.full(LANES, int(reaction * BLOCK_US))
    share = float(is_sniped(as_int(sent_us), as_int(late_us)).mean())
    chance = min(1, reaction)
    error = (chance * (1 - chance) / LANES) ** 0.5
    assert abs(share - chance) <= 3 * error
