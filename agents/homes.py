"""Who trades where at a venue with isolated markets.

An account that trades an isolated market may hold nothing else, so every participant
has a home: account ``a`` of a venue with ``M`` markets lives in market ``a mod M``. If
that market is isolated it trades there alone, else in all markets that are not. The
vault, which the rule spares, trades everywhere, and so may agents in plain Python: what
they send is theirs to choose. Without an isolated market nothing is held back.
"""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from market.types.orders import Kind, Tx
from market.types.specs import Liquidation, VenueSpec


def may_trade(spec: VenueSpec) -> np.ndarray:
    """Which account trades in which market; bool [A, M]."""
    isolated = np.array(spec.isolated)
    home = np.arange(spec.accounts) % len(isolated)
    own = home[:, None] == np.arange(len(isolated))
    allowed = np.where(isolated[home][:, None], own, ~isolated)
    if spec.vault >= 0:
        allowed[spec.vault] = True
    return allowed


def kept_home(intents: Tx, spec: VenueSpec) -> Tx:
    """Intents without the orders in markets where their senders do not trade.

    Takeovers count as orders on StarkEx, where they give the keeper a position.
    """
    if not any(spec.isolated):
        return intents
    opens = (intents.kind == Kind.ORDER) | (intents.kind == Kind.REPLACE)
    if spec.liquidation == Liquidation.TAKEOVER:
        opens |= intents.kind == Kind.LIQUIDATE
    allowed = jnp.asarray(may_trade(spec))[intents.account, intents.market]
    return replace(intents, kind=jnp.where(opens & ~allowed, Kind.NONE, intents.kind))
