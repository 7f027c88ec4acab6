"""Random and hand-made blocks for the exchange, and the twin beside the lowerings."""

from dataclasses import dataclass, replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from market.exchange import execute
from market.numbers.units import QUANTA_PER_USD
from market.twin import lane as twin_lane
from market.twin.block import run_auction_block, run_continuous_block
from market.twin.lane import Lane, Params, open_lane, open_loss, open_lots
from market.types.environment import Turn
from market.types.orders import BUY, SELL, Kind, Tx
from market.types.specs import SelfTrade, VenueParams
from market.types.state import open_exchange
from market.venues.dydx_v4.preset import dydx_v4
from market.venues.starkex.preset import starkex

ACCOUNTS, MESSAGES, CAPACITY, SLOTS = 9, 48, 6, 2
FIELDS = tuple(Tx.__dataclass_fields__)
TWIN_FIELDS = tuple(twin_lane.Tx.__dataclass_fields__)
STATE = (
    "collateral withdrawn position cost adl_pending insurance fees paid_in "
    "gate_block last counters cooldown_us"
).split()


#: Presets that run as whole blocks.
PRESETS = ("dydx_v4", "starkex")


@dataclass(frozen=True)
class Venue:
    """What differs between the venues that the forms are compared on."""

    preset: str = "dydx_v4"
    self_trade: SelfTrade = SelfTrade.CANCEL_OLDEST
    isolated: tuple[str, ...] = ()


def venue(kind: Venue = Venue()):
    """Two markets, of which SOL scales its initial margin at low open interest.

    An account may have three of its four orders, SOL nine of its twelve. On StarkEx the
    risk factor of BTC rises with the lots, of SOL with the notional.
    """
    common = {
        "accounts": ACCOUNTS,
        "slots": SLOTS,
        "book_capacity": CAPACITY,
        "self_trade": kind.self_trade,
        "isolated": kind.isolated,
    }
    if kind.preset == "starkex":
        spec, params = starkex(("BTC", "SOL"), **common)
        numbers = {
            "initial_margin_ppm": jnp.asarray([12_000, 15_000]),
            "risk_upper": jnp.asarray(
                [[999, 999], [9000, 10**10], [40_000, 10**11], [40_001, 10**12]]
            ),
            "risk_factor_ppm": jnp.asarray(
                [[8_011, 7], [11_007, 9_009], [20_001, 25_009], [200_001, 150_000]]
            ),
            "risk_by_balance": jnp.asarray([1, 0]),
        }
    else:
        spec, params = dydx_v4(("BTC", "SOL"), **common)
        numbers = {}
    numbers["oi_lower"] = jnp.asarray([0, 20_000 * QUANTA_PER_USD])
    numbers["oi_upper"] = jnp.asarray([0, 90_000 * QUANTA_PER_USD])
    numbers["max_order_lots"] = jnp.asarray([1 << 41, 1 << 41])
    numbers["max_open_orders"] = jnp.asarray(3)
    numbers["max_market_orders"] = jnp.asarray([0, 9])
    numbers["liquidation_max_notional"] = jnp.asarray(3_000 * QUANTA_PER_USD)
    numbers["liquidation_max_portion_ppm"] = jnp.asarray(300_000)
    numbers["liquidation_max_insurance"] = jnp.asarray(60 * QUANTA_PER_USD)
    return spec, replace(params, **numbers)


@cache
def compiled(kind, auction, lowering):
    """The block of a lowering, compiled once per venue and mode."""
    spec, _ = venue(kind)

    def run(state, txs, block, seed, params):
        return execute(
            state,
            txs,
            Turn(block, seed),
            params,
            spec=spec,
            auction=auction,
            lowering=lowering,
        )

    return jax.jit(run)


def plain(params: VenueParams) -> Params:
    """The parameters as ints and lists of ints."""
    names = Params.__dataclass_fields__
    return Params(**{n: np.asarray(getattr(params, n)).tolist() for n in names})


def columns(rows: list[dict]) -> Tx:
    """Transactions from rows with the fields that matter, padded with empty ones."""
    table = {name: np.zeros(MESSAGES, np.int64) for name in FIELDS}
    for index, row in enumerate(rows):
        for name, value in row.items():
            table[name][index] = value
    return Tx(**{name: jnp.asarray(column) for name, column in table.items()})


def rows_of(txs: Tx) -> list[twin_lane.Tx]:
    """Transactions as the twin's records of plain ints."""
    lists = (np.asarray(getattr(txs, name)).tolist() for name in TWIN_FIELDS)
    return [twin_lane.Tx(*row) for row in zip(*lists, strict=True)]


def run_twin(twin: Lane, txs: Tx, block: int, word: int, auction: bool):
    """One block of the twin; what each transaction came to."""
    run = run_auction_block if auction else run_continuous_block
    return run(twin, rows_of(txs), block, word)


def start(spec, params, collateral, insurance, ticks):
    """The same exchange twice: as a state, and as the twin.

    Isolated markets have a fund as large as the shared one.
    """
    funds = [0, *spec.funds]
    places = range(1 + len(spec.markets))
    insurance = [insurance if place in funds else 0 for place in places]
    state = open_exchange(
        spec, jnp.asarray(collateral), jnp.asarray(insurance), jnp.asarray(ticks)
    )
    return state, open_lane(spec, plain(params), collateral, insurance, ticks)


def book_rows(twin: Lane) -> dict:
    """The twin's books in the layout of `BookState`."""
    shape = (len(twin.markets), 2, twin.spec.book_capacity)
    names = ("ticks", "lots", "owner", "loss", "expiry", "came")
    table = {name: np.zeros(shape, np.int64) for name in names}
    books = [(book.bids, book.asks) for book in twin.books]
    for market, sides in enumerate(books):
        for side, orders in enumerate(sides):
            for index, order in enumerate(reversed(orders)):
                owner = order.account * twin.spec.slots + order.slot
                for name in names:
                    value = owner if name == "owner" else getattr(order, name)
                    table[name][market, side, index] = value
    table["count"] = np.array([[len(side) for side in sides] for sides in books])
    return table


def assert_same(state, receipt, info, twin, fills):
    """Every number of a lowering equals the twin's."""
    got = np.stack([receipt.status, receipt.filled_lots, receipt.filled_quote], -1)
    for index, fill in enumerate(fills):
        expected = (int(fill.status), fill.lots, fill.quote)
        assert tuple(got[index].tolist()) == expected, f"transaction {index}"
    for name, table in book_rows(twin).items():
        np.testing.assert_array_equal(getattr(state.book, name), table, name)
    for name in STATE:
        np.testing.assert_array_equal(getattr(state, name), getattr(twin, name), name)
    for name, value in vars(twin.info).items():
        np.testing.assert_array_equal(getattr(info, name), value, name)
    lots = [
        [[open_lots(twin, a, m, side) for side in (BUY, SELL)] for m in twin.markets]
        for a in twin.accounts
    ]
    np.testing.assert_array_equal(state.open_lots, lots)
    loss = [[open_loss(twin, a, m) for m in twin.markets] for a in twin.accounts]
    np.testing.assert_array_equal(state.open_loss, loss)


def random_rows(rng, oracle, block, wealth, hostility=0.04) -> list[dict]:
    """A block of all kinds around the oracle; some fields are hostile."""
    rows, is_crowded = [], rng.random() < 0.5
    for _ in range(MESSAGES):
        kind = rng.choice(
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 0],
            p=[0.64, 0.04, 0.02, 0.08, 0.05, 0.02, 0.05, 0.02, 0.06, 0.02],
        )
        market, side = rng.integers(2), rng.choice([-1, 1])
        account = rng.integers(ACCOUNTS)
        leverage = 10 ** rng.uniform(0, 1.6)
        lot = oracle[market] * (100, 1000)[market]
        flags = rng.choice([0, 1, 2, 4, 10, 16, 18, 24, 12], p=_FLAG_ODDS)
        spread = max(oracle[market] // 100, 1)
        row = {
            "kind": kind,
            "account": account,
            "market": market,
            "side": side,
            "ticks": oracle[market] + rng.integers(-spread, spread + 1),
            "lots": 1 + int(leverage * wealth[account] / lot),
            "flags": flags,
            "slot": rng.integers(SLOTS),
            "expiry_block": rng.choice([0] * 12 + [block, block + 1, block - 1]),
        }
        if is_crowded:  # few prices, so that orders of one and of many blocks share one
            row["ticks"] -= row["ticks"] % (500, 125)[market]
        if kind == Kind.CANCEL_ALL:
            row["market"] = rng.choice([-1, 0, 1])
        if kind == Kind.LIQUIDATE:
            row["slot"] = rng.integers(ACCOUNTS)
            row["lots"] = rng.choice([0, 0, 500])
            row["ticks"] = rng.choice([0, row["ticks"]])
        if kind == Kind.REDUCE:
            row["lots"] = rng.integers(0, row["lots"] + 2)
        if Kind.DEPOSIT <= kind <= Kind.FORCED_WITHDRAW:
            row["lots"] = rng.integers(1, 5_000 * QUANTA_PER_USD)
        if rng.random() < hostility:
            row[rng.choice(list(row))] = rng.choice(_HOSTILE)
        rows.append({name: int(value) for name, value in row.items()})
    return _raid(rng, rows, oracle) if rng.random() < 0.6 else rows


def _raid(rng, rows, oracle) -> list[dict]:
    """Puts a liquidation of every position somewhere among the rows.

    Some name a price, which only matters where keepers take over.
    """
    places = rng.choice(MESSAGES, 2 * ACCOUNTS, replace=False)
    for index, place in enumerate(places):
        rows[place] = {
            "kind": int(Kind.LIQUIDATE),
            "account": int(rng.integers(ACCOUNTS)),
            "market": index % 2,
            "slot": index // 2,
            "lots": int(rng.choice([0, 0, 0, 100])),
            "ticks": int(rng.choice([0, 0, oracle[index % 2]])),
        }
    return rows


_FLAG_ODDS = [0.5, 0.1, 0.15, 0.05, 0.05, 0.05, 0.04, 0.03, 0.03]
_HOSTILE = [
    *(-1, 0, 2, 9, 31, 32, 64, 1 << 20, 1 << 40, (1 << 40) + 1),
    *(1 << 62, (1 << 63) - 1, -(1 << 63), -(1 << 40)),
]


def random_start(rng):
    """Balances from poor to rich, a small or empty fund, oracle prices."""
    dollars = 10 ** rng.uniform(2.5, 4, ACCOUNTS)
    collateral = dollars.astype(np.int64) * QUANTA_PER_USD
    insurance = int(rng.choice([0, 5, 100_000])) * QUANTA_PER_USD
    return collateral.tolist(), insurance, [60_000, 15_000]


def moved(rng, oracle) -> list[int]:
    """The next oracle prices: mostly quiet, now and then a crash or a jump."""
    size = rng.choice([0.002, 0.03, 0.15], p=[0.4, 0.35, 0.25])
    return [max(1, int(p * (1 + rng.uniform(-size, size)))) for p in oracle]
