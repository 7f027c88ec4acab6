"""The order book as a specification: plain Python, one loop, nothing clever.

This twin of `market.match` says what each message does. It shares no code with the
compiled lowerings; tests hold all three equal. A side is a list of price levels, a
level is a first-in-first-out dictionary of orders.

Rules of one message, in this order:

1. A record must name a known kind, account and slot, else it is rejected.
2. A *cancel* takes the named order off, a *cancel-all* every order of the account; a
   *replace* first takes off what rests in its slot, even if the order is rejected then.
   A *reduce* takes lots off the named order, which keeps its place; one by more lots
   than rest is rejected.
3. An *order* must have side, lots, ticks, flags and expiry in order, and a free slot.
4. Post-only that would meet any order on the other side is rejected; fill-or-kill too
   where the others' orders within its limit do not suffice; and so is an order that
   would take nothing and rest where the side is full.
5. It takes from the other side: better prices first, earlier orders first, each fill at
   the resting order's price, through as many levels as its limit allows. Self-trade
   prevention applies where it meets an order of its own account.
6. What is left rests behind the orders of its price. Immediate orders (IOC, FOK,
   market), stopped orders, and orders that took something but find no room drop it.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from market.types.orders import BUY, SELL, Flag, Kind, Status
from market.types.specs import SelfTrade

#: Largest price, size and order name of the book; products of two stay in 62 bits.
LARGEST = 2**31 - 1
POST_ONLY, FOK, MARKET = int(Flag.POST_ONLY), int(Flag.FOK), int(Flag.MARKET)
BOOK_KINDS = (Kind.ORDER, Kind.CANCEL, Kind.CANCEL_ALL, Kind.REPLACE, Kind.REDUCE)
REDUCE_ONLY, IMMEDIATE = int(Flag.REDUCE_ONLY), int(Flag.IOC | Flag.FOK | Flag.MARKET)


@dataclass
class Order:
    """A resting order."""

    ticks: int
    lots: int
    loss: int = 0
    expiry: int = 0
    batch: int = 0  # block in which it came to rest


@dataclass(frozen=True)
class Message:
    """The fields of a transaction that a book reads."""

    kind: int
    account: int
    side: int = 0
    ticks: int = 0
    lots: int = 0
    flags: int = 0
    slot: int = 0
    expiry_block: int = 0


@dataclass
class Outcome:
    """What one message did; `quote` in lot-ticks."""

    status: int = Status.NONE
    lots: int = 0
    quote: int = 0
    trades: int = 0
    rested: int = 0
    cancelled: int = 0
    fills: list = field(default_factory=list)  # (owner, ticks, lots) in time order


class ReferenceBook:
    """One market.

    Attributes:
        slots: order slots of an account; ``owner = account * slots + slot``.
        mode: self-trade prevention.
        capacity: orders of one side.
        levels: by side, ticks -> {owner: Order} in time order.
        prices: by side, the ticks of `levels`, ascending.
        place: owner -> (side, ticks).
    """

    def __init__(self, capacity: int, slots: int = 1, mode=SelfTrade.CANCEL_OLDEST):
        self.capacity, self.slots, self.mode = capacity, slots, mode
        self.levels = {BUY: {}, SELL: {}}
        self.prices = {BUY: [], SELL: []}
        self.place = {}
        self.size = {BUY: 0, SELL: 0}

    def best(self, side: int) -> int | None:
        """Ticks at the touch of a side, if it has any order."""
        prices = self.prices[side]
        if not prices:
            return None
        return prices[-1] if side == BUY else prices[0]

    def orders(self, side: int) -> list[tuple[int, Order]]:
        """``(owner, order)`` of a side, best first."""
        prices = self.prices[side]
        ordered = reversed(prices) if side == BUY else prices
        return [item for ticks in ordered for item in self.levels[side][ticks].items()]

    def rest(self, side: int, owner: int, order: Order) -> None:
        """Puts an order behind those of its price."""
        if order.ticks not in self.levels[side]:
            self.levels[side][order.ticks] = {}
            insort(self.prices[side], order.ticks)
        self.levels[side][order.ticks][owner] = order
        self.place[owner] = (side, order.ticks)
        self.size[side] += 1

    def drop(self, owner: int) -> Order:
        """Takes an order off the book."""
        side, ticks = self.place.pop(owner)
        level = self.levels[side][ticks]
        order = level.pop(owner)
        if not level:
            del self.levels[side][ticks]
            self.prices[side].pop(bisect_left(self.prices[side], ticks))
        self.size[side] -= 1
        return order

    def expire(self, block: int) -> int:
        """Drops orders whose last block is past; returns their lots."""
        past = [
            owner
            for side in (BUY, SELL)
            for owner, order in self.orders(side)
            if 0 < order.expiry < block
        ]
        return sum(self.drop(owner).lots for owner in past)

    def execute(self, message: Message, block: int = 0) -> Outcome:
        """Applies one message."""
        outcome = Outcome()
        outcome.status = self._dispatch(message, block, outcome)
        return outcome

    def _dispatch(self, message: Message, block: int, outcome: Outcome) -> Status:
        kind = message.kind
        if kind == Kind.NONE:
            return Status.NONE
        if kind not in BOOK_KINDS:
            return Status.UNKNOWN_KIND
        if not 0 <= message.account < LARGEST // self.slots:
            return Status.UNKNOWN_ACCOUNT
        if kind == Kind.CANCEL_ALL:
            for owner in [key for key in self.place if self._owns(message, key)]:
                outcome.cancelled += self.drop(owner).lots
            return Status.ACCEPTED
        if not 0 <= message.slot < self.slots:
            return Status.UNKNOWN_SLOT
        owner = message.account * self.slots + message.slot
        if kind == Kind.REDUCE:
            return self._reduce(message, owner, outcome)
        found = owner in self.place
        if kind != Kind.ORDER and found:
            outcome.cancelled += self.drop(owner).lots
        if kind == Kind.CANCEL:
            return Status.ACCEPTED if found else Status.UNKNOWN_ORDER
        return self._order(message, owner, block, outcome)

    def _reduce(self, message: Message, owner: int, outcome: Outcome) -> Status:
        if message.lots < 1:
            return Status.BAD_LOTS
        if owner not in self.place:
            return Status.UNKNOWN_ORDER
        side, ticks = self.place[owner]
        order = self.levels[side][ticks][owner]
        if message.lots > order.lots:
            return Status.BAD_LOTS
        order.lots -= message.lots
        outcome.cancelled = message.lots
        if order.lots == 0:
            self.drop(owner)
        return Status.ACCEPTED

    def _owns(self, message: Message, owner: int) -> bool:
        return owner // self.slots == message.account

    def _order(self, message, owner: int, block: int, outcome: Outcome) -> Status:
        reason = self._invalid(message, block)
        if reason:
            return reason
        if owner in self.place:
            return Status.SLOT_BUSY
        immediate = bool(message.flags & IMMEDIATE)
        full = self.size[message.side] >= self.capacity
        best = self.best(-message.side)
        if message.flags & POST_ONLY and best is not None:
            if self._within(message, best):
                return Status.WOULD_TAKE
        if message.flags & FOK and self.volume(message) < message.lots:
            return Status.CANNOT_FILL
        if full and not immediate and self.volume(message) == 0:
            return Status.BOOK_FULL
        left, stopped = self._take(message, outcome)
        if left == 0:
            return Status.FILLED if outcome.lots == message.lots else Status.PARTIAL
        if stopped:
            return Status.PARTIAL if outcome.lots else Status.SELF_TRADE
        if immediate or full:
            return Status.PARTIAL
        order = Order(message.ticks, left, 0, message.expiry_block, block)
        self.rest(message.side, owner, order)
        outcome.rested = left
        return Status.RESTING

    @staticmethod
    def _invalid(message: Message, block: int) -> Status | None:
        flags = message.flags
        if message.side not in (BUY, SELL):
            return Status.BAD_SIDE
        if not 1 <= message.lots <= LARGEST:
            return Status.BAD_LOTS
        if not flags & MARKET and not 1 <= message.ticks <= LARGEST:
            return Status.BAD_PRICE
        if not 0 <= flags < 32 or (flags & POST_ONLY and flags & IMMEDIATE):
            return Status.BAD_FLAGS
        if flags & REDUCE_ONLY and not flags & IMMEDIATE:
            return Status.BAD_FLAGS
        if 0 < message.expiry_block < block:
            return Status.EXPIRED
        return None

    @staticmethod
    def _within(message: Message, ticks: int) -> bool:
        """Whether a fill at these ticks keeps to the message's limit."""
        if message.flags & MARKET:
            return True
        return message.side * (message.ticks - ticks) >= 0

    def volume(self, message: Message) -> int:
        """Others' lots that the message could take.

        Counting ends at an own order, unless prevention would cancel that one.
        """
        total = 0
        for owner, order in self.orders(-message.side):
            if not self._within(message, order.ticks):
                break
            if not self._owns(message, owner):
                total += order.lots
            elif self.mode != SelfTrade.CANCEL_OLDEST:
                break
        return total

    def _take(self, message: Message, outcome: Outcome) -> tuple[int, bool]:
        """Fills the message; returns what is left and whether it was stopped."""
        left = message.lots
        while left > 0:
            ticks = self.best(-message.side)
            if ticks is None or not self._within(message, ticks):
                break
            owner, order = next(iter(self.levels[-message.side][ticks].items()))
            taken = min(left, order.lots)
            if self._owns(message, owner):
                if self.mode == SelfTrade.CANCEL_NEWEST:
                    return left, True
                if self.mode == SelfTrade.CANCEL_OLDEST:
                    outcome.cancelled += self.drop(owner).lots
                    continue
                outcome.cancelled += taken
            else:
                outcome.fills.append((owner, ticks, taken))
                outcome.trades += 1
                outcome.lots += taken
                outcome.quote += taken * ticks
            left -= taken
            order.lots -= taken
            if order.lots == 0:
                self.drop(owner)
        return left, False
