"""Views from friendly numbers, and one decision of a family.

Two markets at 100,000 and 50,000 ticks, quoted ten ticks around; a lot is worth 100
quanta a tick, so 10 USD of the first. Accounts start flat with 10,000 USD.
"""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from agents.families import FAMILIES
from agents.family import GroupSpec, Pending, View
from experiments.build.worlds import build
from experiments.config import Config
from market.numbers.randomness import block_key, run_key
from market.numbers.units import PPM, as_int
from market.types.orders import Kind, Tx
from market.types.specs import Liquidation

USD = 1_000_000
PRICE = (100_000, 50_000)
MULTIPLIER = 100
#: Quanta of a lot of the first market.
LOT = PRICE[0] * MULTIPLIER
FIRST = 20
ALWAYS, NEVER = PPM, 0


def view(members: int = 1, **changes) -> View:
    """What ``members`` see; equity and requirements follow from what they hold."""
    given = {
        "block": 100,
        "height": 90,
        "now_us": 100 * USD,
        "block_us": USD,
        "price": PRICE,
        "accounts": FIRST + np.arange(members),
        "change_ppm": (0, 0),
        "swing_ppm": (0, 0),
        "oracle": PRICE,
        "oracle_age_us": (USD, USD),
        "bid": (PRICE[0] - 10, PRICE[1] - 10),
        "ask": (PRICE[0] + 10, PRICE[1] + 10),
        "bid_lots": (1_000, 1_000),
        "ask_lots": (1_000, 1_000),
        "collateral": [10_000 * USD] * members,
        "position": np.zeros((members, 2)),
        "cost": np.zeros((members, 2)),
        "open_lots": np.zeros((members, 2, 2)),
        "multiplier": (MULTIPLIER, MULTIPLIER),
        "danger": [-1] * 4,
        "danger_market": [0] * 4,
        "danger_lots": [0] * 4,
        **changes,
    }
    pending = given.pop("pending", None)
    worth = np.array(given["oracle"]) * MULTIPLIER
    notional = np.asarray(given["position"]) * worth
    size = np.abs(notional).sum(axis=1)
    given.setdefault("equity", np.asarray(given["collateral"]) + notional.sum(axis=1))
    given.setdefault("initial", size * 0.02)
    given.setdefault("maintenance", size * 0.012)
    columns = {name: as_int(value) for name, value in given.items()}
    return View(**columns, pending=None if pending is None else Pending(txs=pending))


@cache
def _defaults(family: str):
    config = Config.model_validate({"venue": {"preset": "hyperliquid"}})
    return build([config])[0].params.groups[family].numbers


def numbers(family: str, **changes):
    """A family's numbers: the config's defaults, with changes."""
    changes = {name: as_int(value) for name, value in changes.items()}
    return replace(_defaults(family), **changes)


def group_of(
    family: str, members: int, liquidation: Liquidation = Liquidation.FILLABLE_PRICE
) -> GroupSpec:
    code = FAMILIES[family]
    return GroupSpec(code, family, members, FIRST, number=1, liquidation=liquidation)


@cache
def _compiled(family: str, members: int, liquidation=Liquidation.FILLABLE_PRICE):
    spec, code = group_of(family, members, liquidation), FAMILIES[family]

    @jax.jit
    def init(key, params, collateral):
        return code.init(spec.key(key), params, collateral, spec=spec, markets=2)

    @jax.jit
    def act(key, memory, view, params):
        return code.act(spec.key(key), memory, view, params, spec=spec)

    return init, act


def drawn(family: str, params, members: int = 1, run: int = 0, usd: int = 10_000):
    """The memory of ``members`` drawn for a run."""
    init, _ = _compiled(family, members)
    return init(run_key(7, run), params, as_int([usd * USD] * members))


def decide(
    family: str,
    seen: View,
    params,
    memory=None,
    block: int = 0,
    liquidation: Liquidation = Liquidation.FILLABLE_PRICE,
):
    """One decision: the new memory and the intents as rows by member.

    Returns:
        The memory, and for each member a list of dicts, one for each transaction.
    """
    members = seen.collateral.shape[0]
    if memory is None:
        memory = drawn(family, params, members)
    _, act = _compiled(family, members, liquidation)
    memory, intents = act(block_key(run_key(7, 0), block), memory, seen, params)
    return memory, rows_of(intents)


def rows_of(intents: Tx) -> list[list[dict]]:
    """The live transactions of each member, in their order."""
    columns = {n: np.asarray(getattr(intents, n)) for n in Tx.__dataclass_fields__}
    members, places = columns["kind"].shape
    return [
        [
            {name: int(value[member, place]) for name, value in columns.items()}
            for place in range(places)
            if columns["kind"][member, place] != Kind.NONE
        ]
        for member in range(members)
    ]


def held(market: int, lots: int, entry: int | None = None) -> dict:
    """Position, cost and collateral of one member who paid for it out of its own."""
    position, cost = np.zeros((1, 2)), np.zeros((1, 2))
    paid = lots * (entry if entry is not None else PRICE[market]) * MULTIPLIER
    position[0, market], cost[0, market] = lots, paid
    return {"position": position, "cost": cost, "collateral": [10_000 * USD - paid]}


def constant(memory, **columns):
    """The memory with columns set to one number for everyone."""
    return replace(
        memory,
        **{n: jnp.full_like(getattr(memory, n), value) for n, value in columns.items()},
    )
