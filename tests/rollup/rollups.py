"""A rollup stepped by hand, over an exchange that refuses odd lots and no more.

The exchange pays withdrawals from the collateral and takes its oracle from the height,
so that what a halt stops can be seen.
"""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp

from market.numbers.randomness import block_key, run_key
from market.numbers.units import as_int
from market.types.orders import Kind, Receipt, Status
from market.types.state import ExchangeInfo, open_exchange
from market.venues.dydx_v4.preset import dydx_v4
from rollup import chain
from rollup.faults.windows import draw_windows
from rollup.sequencing import SCHEMES
from rollup.sequencing.composed import Composed
from rollup.sequencing.contract import Scheme, SequencerParams
from rollup.types import ChainParams, ChainSpec, Executor, Moment, Offered
from tests.rollup.faults.test_windows import conditions, faults
from tests.rollup.settlement.test_pipeline import numbers, outage
from tests.rollup.transactions import column, txs
from tests.rollup.trial import TRIAL

BLOCK_US = 1_000_000
QUEUE, BLOCK, BATCH, OFFERED = 8, 4, 5, 6
FAMILY_OF = as_int([0, 0, 1, 1])
GAS, START = 10, 1_000_000
VENUE, _ = dydx_v4(("BTC",), accounts=4, book_capacity=4)
RUN_BLOCKS = 60


def execute(exchange, records, mode, height, is_halted):
    """Refuses odd lots, pays withdrawals, and shows the height as its oracle price."""
    live = records.kind != Kind.NONE
    odd = live & (records.lots % 2 == 1)
    status = jnp.where(odd, Status.MARGIN, Status.ACCEPTED)
    leaves = (records.kind == Kind.WITHDRAW) & ~odd
    quanta = jnp.zeros((4,), jnp.int64)
    quanta = quanta.at[records.account].add(jnp.where(leaves, records.lots, 0))
    nothing = jnp.zeros_like(records.lots)
    state = replace(
        exchange,
        collateral=exchange.collateral - quanta,
        withdrawn=exchange.withdrawn + quanta,
        oracle=jnp.where(is_halted, exchange.oracle, height[None] + 1),
    )
    receipts = Receipt(
        status=jnp.where(live, status, 0), filled_lots=nothing, filled_quote=nothing
    )
    zero = jnp.zeros((), jnp.int64)
    info = ExchangeInfo(**dict.fromkeys(ExchangeInfo.__dataclass_fields__, zero))
    return state, receipts, info


def runs(moment):
    """That exchange, in which positions are worth what they cost."""
    return Executor(
        partial(execute, is_halted=moment.conditions.halted),
        lambda exchange: exchange.collateral + exchange.cost.sum(axis=1),
    )


@cache
def compiled(scheme):
    spec = ChainSpec(scheme=scheme, queue=QUEUE, block_txs=BLOCK, batch_blocks=BATCH)

    @jax.jit
    def step(state, exchange, offered, windows, block, params, seen_us=None):
        moment = Moment(block, BLOCK_US, conditions(windows, block * BLOCK_US))
        return chain.step(
            block_key(run_key(0, 0), block),
            state,
            exchange,
            Offered(offered, FAMILY_OF, seen_us),
            moment,
            params,
            spec=spec,
            executor=runs(moment),
        )

    return spec, step


def numbers_for(scheme, **own):
    """The numbers of a scheme: a gas fee, and its own."""
    common = SequencerParams(gas_fee=as_int(GAS), min_fee_bid=as_int(0))
    if isinstance(scheme, Composed):
        return scheme.numbers(common)
    return scheme.params(
        gas_fee=common.gas_fee,
        min_fee_bid=common.min_fee_bid,
        **{name: as_int(number) for name, number in own.items()},
    )


class Rollup:
    """A rollup stepped block by block with rows of transactions."""

    def __init__(
        self, *rows, scheme: Scheme | str = "fcfs", params=None, **numbers_of_scheme
    ):
        scheme = SCHEMES[scheme] if isinstance(scheme, str) else scheme
        self.spec, self._step = compiled(scheme)
        idle = [outage("da_outage", 0, 0)] * (2 - len(rows))
        self.windows = draw_windows(run_key(0, 0), faults(*rows, *idle))
        self.exchange = open_exchange(
            VENUE, as_int([START] * 4), as_int(0), as_int([1])
        )
        self.params = ChainParams(
            sequencer=numbers_for(scheme, **numbers_of_scheme),
            batches=params or numbers(),
        )
        self.state = chain.open_chain(
            self.params, spec=self.spec, blocks=RUN_BLOCKS, accounts=4, groups=2
        )
        self.block = 0
        self.outcomes = []

    def step(self, *rows):
        """One block in which these were sent; returns the times of what executed."""
        now = self.block * BLOCK_US
        dated = [{"sent_us": now, "arrival_us": now, "lots": 2, **row} for row in rows]
        self.state, self.exchange, outcome = self._step(
            self.state,
            self.exchange,
            txs(dated, OFFERED),
            self.windows,
            jnp.int64(self.block),
            self.params,
        )
        self.outcomes.append(outcome)
        self.block += 1
        return column(outcome.txs)

    def money(self):
        """Quanta in the exchange and paid out."""
        held = self.exchange.collateral.sum() + self.exchange.withdrawn.sum()
        return int(held + self.exchange.fees + self.state.batches.payouts.paid)


def at(time):
    return {"sent_us": time, "arrival_us": time}


def trial(**given):
    """A rollup under the scheme of every part, with gas of ten quanta."""
    return Rollup(scheme=TRIAL, **given)
