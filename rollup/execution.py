"""The exchange as a chain runs it: the environment of a block bound to its step."""

from functools import partial

import jax
from jax import Array

from market import block as exchange_block
from market.types.environment import Environment
from market.types.orders import Tx
from market.types.specs import VenueParams, VenueSpec
from market.types.state import ExchangeState
from market.upkeep.mark import account_equity
from rollup.sequencing.contract import Mode
from rollup.types import Executor, Moment


def executor(
    reports: Array,
    seed_word: Array,
    moment: Moment,
    params: VenueParams,
    *,
    venue: VenueSpec,
    modes: tuple[Mode, ...],
) -> Executor:
    """What `rollup.chain` calls to execute a block, and to see what accounts have.

    Only the modes of the chain's scheme are compiled. A scheme of one mode costs no
    switch; with both, the mode of the block decides, and where all lanes agree on it,
    one program runs.

    Args:
        reports: [M, N] oracle reports of the block.
        seed_word: [] its random word.
        moment: the block, and its conditions.
        params: numbers of the venue.
        venue: shapes of the venue.
        modes: in which the chain's scheme lets blocks match.
    """

    def execute(exchange: ExchangeState, txs: Tx, mode: Array, height: Array):
        given = Environment(
            block=moment.block,
            height=height,
            is_halted=moment.conditions.halted,
            reports=reports,
            seed_word=seed_word,
            block_us=moment.block_us,
        )

        def run(auction: bool, exchange: ExchangeState, txs: Tx):
            return exchange_block.step(
                exchange, txs, given, params, spec=venue, auction=auction
            )

        if len(modes) == 1:
            return run(modes[0] == Mode.AUCTION, exchange, txs)
        return jax.lax.cond(
            mode == Mode.AUCTION, partial(run, True), partial(run, False), exchange, txs
        )

    return Executor(execute, partial(account_equity, spec=venue))
