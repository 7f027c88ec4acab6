"""Classes of transactions: what a rule of a sequencer may treat apart."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from market.types.orders import BUY, Flag, Kind
from rollup.sequencing.contract import Waiting

#: The classes; a number of a class is its place here.
CLASSES = (
    "cancel",  # takes an order, or a part of one, out of the book
    "post_only",  # an order that never takes
    "rest",  # any other order that may come to rest
    "take",  # an order that never rests
    "liquidation",
    "deposit",
    "withdrawal",
)
_OF_KIND = {
    Kind.CANCEL: "cancel",
    Kind.CANCEL_ALL: "cancel",
    Kind.REDUCE: "cancel",
    Kind.ORDER: "rest",
    Kind.REPLACE: "rest",
    Kind.LIQUIDATE: "liquidation",
    Kind.DEPOSIT: "deposit",
    Kind.WITHDRAW: "withdrawal",
    Kind.FORCED_WITHDRAW: "withdrawal",
}
_NUMBER = {name: number for number, name in enumerate(CLASSES)}


def by_label(waiting: Waiting) -> Array:
    """The class that each transaction's kind and flags name, whatever it will do; [Q].

    An order is `take` if it is immediate or cancel, fill or kill, or a market order;
    `post_only` if it says so; else `rest`, also where it would trade at once. The
    number of a free place means nothing.

    Source: Kraken's maker protection holds what is not labelled post-only.
    """
    table = np.zeros((max(Kind) + 1,), np.int64)
    for kind, name in _OF_KIND.items():
        table[kind] = _NUMBER[name]
    kind = jnp.clip(waiting.tx.kind, 0, max(Kind))
    number = jnp.asarray(table)[kind]
    is_order = number == _NUMBER["rest"]
    takes = waiting.tx.flags & (Flag.IOC | Flag.FOK | Flag.MARKET) > 0
    rests = waiting.tx.flags & Flag.POST_ONLY > 0
    number = jnp.where(is_order & takes, _NUMBER["take"], number)
    return jnp.where(is_order & ~takes & rests, _NUMBER["post_only"], number)


def by_outcome(waiting: Waiting) -> Array:
    """The same, but an order is `take` only if it would trade at once, else `rest`.

    What would trade is judged by the best quotes as the block starts; a post-only
    order never takes. The number of a free place means nothing.

    Source: Deribit's speed bump holds only an order that would trade at once.
    """
    number = by_label(waiting)
    is_judged = (number == _NUMBER["rest"]) | (number == _NUMBER["take"])
    bid, ask = waiting.touch[:, 0], waiting.touch[:, 1]
    tx = waiting.tx
    is_market = tx.flags & Flag.MARKET > 0
    buys = (ask > 0) & (is_market | (tx.ticks >= ask))
    sells = (bid > 0) & (is_market | (tx.ticks <= bid))
    trades = jnp.where(tx.side == BUY, buys, sells)
    judged = jnp.where(trades, _NUMBER["take"], _NUMBER["rest"])
    return jnp.where(is_judged, judged, number)


#: How a composed scheme tells the class of an order.
JUDGES = {"label": by_label, "outcome": by_outcome}
