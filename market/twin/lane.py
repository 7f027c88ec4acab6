"""The records of the exchange: transactions, orders, books, and a lane that owns them.

A lane is one exchange: what it owns between two blocks, what a block is told, and what
a block remembers. Amounts are quote quanta, prices ticks, sizes lots, all plain ints.
Axes as in `market.types.state`: A accounts, M markets.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from market.types.orders import BUY, SELL, STATUS_COUNT, Flag, Status
from market.types.specs import VenueSpec

#: Flags of orders that never rest.
IMMEDIATE = int(Flag.IOC | Flag.FOK | Flag.MARKET)


class RejectError(Exception):
    """A transaction is turned down; ``status`` is the reason."""

    def __init__(self, status: Status):
        super().__init__(status.name)
        self.status = status


@dataclass(frozen=True)
class Tx:
    """What the exchange reads of a transaction (`market.types.orders.Tx`)."""

    kind: int
    account: int = 0
    market: int = 0
    side: int = 0  # +1 buys, -1 sells
    ticks: int = 0
    lots: int = 0  # quanta of a deposit or a withdrawal
    flags: int = 0
    slot: int = 0  # of a liquidation: the account to be liquidated
    expiry_block: int = 0


@dataclass(kw_only=True, eq=False)
class Order:
    """An order, named by account, market and slot; it takes, rests or waits."""

    account: int = 0
    market: int = 0
    slot: int = 0
    side: int
    ticks: int  # its limit
    lots: int  # what is left of it
    loss: int = 0  # quanta reserved per lot
    expiry: int = 0
    came: int = 0  # block in which it came


@dataclass(kw_only=True)
class Waiting:
    """An order of an auction that waits for the price.

    What its account takes back leaves both `size` and the order's lots; what self-trade
    prevention takes leaves the order's lots alone.
    """

    order: Order
    index: int  # of its transaction in the block
    size: int  # lots admitted and not taken back
    flags: int
    liquidator: int | None  # who sent it, where it is a liquidation
    filled: int = 0  # lots
    quote: int = 0  # quanta exchanged

    @property
    def may_rest(self) -> bool:
        """Whether what the clearing leaves of it rests."""
        return self.liquidator is None and not self.flags & IMMEDIATE


@dataclass
class Book:
    """The resting orders of one market: better prices first, then earlier orders."""

    capacity: int  # orders of one side
    bids: list[Order] = field(default_factory=list)
    asks: list[Order] = field(default_factory=list)


@dataclass
class Fill:
    """What a transaction came to."""

    status: int
    lots: int = 0
    quote: int = 0


class Liquidated(NamedTuple):
    """A liquidation of this block, for the limits of an account and block."""

    account: int
    market: int
    notional: int
    paid: int  # by the insurance fund


@dataclass
class Info:
    """What a block did, as `market.types.state.ExchangeInfo`."""

    traded_lots: list[int]  # [M] and so the next four
    traded_quote: list[int]
    trades: list[int]
    high: list[int]
    low: list[int]
    liquidations: int = 0
    liquidated_quote: int = 0
    liquidation_fees: int = 0
    insurance_paid: int = 0
    deleveraged: int = 0
    deleveraged_quote: int = 0
    deleveraging_loss: int = 0
    withdrawn: int = 0
    taken_over: int = 0
    backstop_paid: int = 0
    funding_paid: int = 0


@dataclass
class Params:
    """Numbers of the venue that a block reads (`market.types.specs.VenueParams`)."""

    initial_margin_ppm: list[int]
    maintenance_fraction_ppm: list[int]
    oi_lower: list[int]
    oi_upper: list[int]
    risk_upper: list[list[int]]  # [S][M]
    risk_factor_ppm: list[list[int]]
    risk_by_balance: list[int]
    transfer_margin_ppm: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    price_band_ppm: list[int]
    max_order_lots: list[int]
    halted: list[int]
    max_open_orders: int
    max_market_orders: list[int]
    bankruptcy_adjustment_ppm: int
    spread_to_maintenance_ppm: int
    liquidation_max_fee_ppm: int
    liquidator_reward_ppm: int
    liquidation_min_notional: int
    liquidation_max_portion_ppm: int
    liquidation_max_notional: int
    liquidation_cooldown_us: int
    cooldown_waits: int
    liquidation_max_insurance: int
    impact_notional: list[int]

    @property
    def fee_bound_ppm(self) -> int:
        """The larger of the two fees, not below zero."""
        return max(self.maker_fee_ppm, self.taker_fee_ppm, 0)


@dataclass(kw_only=True)
class Lane:
    """One exchange, block after block.

    Attributes:
        spec, params: the venue.
        accounts, markets: ranges of their numbers.
        multiplier: quanta of a lot at one tick, by market.
        books: by market.
        collateral, withdrawn, cooldown_us: by account.
        position, cost, adl_pending: [account][market].
        insurance, gate_block: of what is shared, then of isolated markets.
        fees, paid_in: as in `market.types.state.ExchangeState`.
        last: ticks of the last fill, by market.
        counters: outcomes since the start, by `Status`.
        price: ticks that margin is reckoned at, by market: the oracle's price, or the
            mark where the venue has one.
        previous_mark: the mark of the block before.
        now_us, block, seed_word: time, number and random word of the block.
        unit, fraction: quanta of a lot, and the initial margin fraction, by market.
        liquidated: liquidations of this block.
        set_aside: quanta that liquidations which wait may ask of each fund.
        waiting: orders of this block that wait for the clearing of an auction.
        info: what the block did.
    """

    spec: VenueSpec
    params: Params
    accounts: range
    markets: range
    multiplier: tuple[int, ...]
    # What the exchange owns between two blocks.
    books: list[Book]
    collateral: list[int]
    withdrawn: list[int]
    cooldown_us: list[int]
    position: list[list[int]]
    cost: list[list[int]]
    adl_pending: list[list[int]]
    insurance: list[int]
    fees: int
    paid_in: int
    gate_block: list[int]
    last: list[int]
    counters: list[int]
    # What a block is told.
    price: list[int]
    previous_mark: list[int]
    now_us: int = 0
    block: int = 0
    seed_word: int = 0
    # What a block remembers, from `open_block` to `close_block`.
    unit: list[int]
    fraction: list[int]
    liquidated: list[Liquidated]
    set_aside: list[int]
    waiting: list[Waiting]
    info: Info


def open_lane(
    spec: VenueSpec,
    params: Params,
    collateral: list[int],
    insurance: list[int],
    price: list[int],
) -> Lane:
    """An exchange before its first block; `market.types.state.open_exchange`."""
    accounts, markets = range(spec.accounts), range(len(spec.markets))
    return Lane(
        spec=spec,
        params=params,
        accounts=accounts,
        markets=markets,
        multiplier=spec.multipliers,
        books=[Book(spec.book_capacity) for _ in markets],
        collateral=list(collateral),
        withdrawn=[0] * spec.accounts,
        cooldown_us=[0] * spec.accounts,
        position=[[0] * len(markets) for _ in accounts],
        cost=[[0] * len(markets) for _ in accounts],
        adl_pending=[[0] * len(markets) for _ in accounts],
        insurance=list(insurance),
        fees=0,
        paid_in=sum(collateral) + sum(insurance),
        gate_block=[0] * len(insurance),
        last=list(price),
        counters=[0] * STATUS_COUNT,
        price=list(price),
        previous_mark=list(price),
        unit=[0] * len(markets),
        fraction=[0] * len(markets),
        liquidated=[],
        set_aside=[0] * len(insurance),
        waiting=[],
        info=nothing_done(len(markets)),
    )


def nothing_done(markets: int) -> Info:
    """What a block reports in which nothing happened."""
    return Info(
        traded_lots=[0] * markets,
        traded_quote=[0] * markets,
        trades=[0] * markets,
        high=[0] * markets,
        low=[0] * markets,
    )


def orders_of(lane: Lane, account: int, market: int, side: int) -> list[Order]:
    """The account's orders on one side of one market, those that wait included."""
    book = lane.books[market]
    resting = book.bids if side == BUY else book.asks
    waiting = [each.order for each in lane.waiting]
    orders = [*resting, *(o for o in waiting if (o.market, o.side) == (market, side))]
    return [order for order in orders if order.account == account and order.lots > 0]


def open_lots(lane: Lane, account: int, market: int, side: int) -> int:
    """Lots of the account's orders on one side of one market."""
    return sum(order.lots for order in orders_of(lane, account, market, side))


def open_loss(lane: Lane, account: int, market: int) -> int:
    """Quanta reserved for the account's orders in one market."""
    return sum(
        order.lots * order.loss
        for side in (BUY, SELL)
        for order in orders_of(lane, account, market, side)
    )
