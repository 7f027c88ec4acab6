"""The exchange as a chain runs it: the environment of a block bound to its step."""

from jax import Array

from market import block as exchange_block
from market.types.environment import Environment
from market.types.orders import Tx
from market.types.specs import VenueParams, VenueSpec
from market.types.state import ExchangeState
from rollup.chain import ChainSpec, Execute
from rollup.sequencing import POLICIES


def executor(
    reports: Array,
    block: Array,
    seed_word: Array,
    params: VenueParams,
    venue: VenueSpec,
    chain: ChainSpec,
    block_us: int,
) -> Execute:
    """What `rollup.chain` calls to execute a block.

    Args:
        reports: [M, N] oracle reports of the block.
        block: [] its number in time.
        seed_word: [] its random word.
        params: numbers of the venue.
        venue: shapes of the venue.
        chain: shapes of the rollup; its policy decides the matching mode.
        block_us: length of a block.
    """

    def execute(exchange: ExchangeState, txs: Tx, height: Array, is_halted: Array):
        given = Environment(
            reports=reports,
            block=block,
            block_us=block_us,
            height=height,
            is_halted=is_halted,
            seed_word=seed_word,
        )
        return exchange_block.step(
            exchange,
            txs,
            given,
            params,
            spec=venue,
            auction=POLICIES[chain.policy].auction,
        )

    return execute
