"""Refusals: one metric for each reason for which the exchange turns a message down."""

from agents.measure.contract import Metric
from market.types.orders import Status

#: What each reason of a refusal means; one that is not listed is told by its name.
_REFUSED: dict[str, str] = {
    "UNKNOWN_KIND": "kinds of transaction that the venue does not know",
    "UNKNOWN_ACCOUNT": "accounts that do not exist",
    "UNKNOWN_MARKET": "markets that do not exist",
    "UNKNOWN_SLOT": "order slots out of range",
    "UNKNOWN_ORDER": "cancels of an order that does not rest",
    "BAD_SIDE": "orders that neither buy nor sell",
    "BAD_LOTS": "sizes out of range",
    "BAD_PRICE": "prices out of range",
    "BAD_FLAGS": "flags that exclude each other",
    "PRICE_BAND": "limits too far from the oracle price",
    "HALTED": "orders in a halted market, liquidations that are held back",
    "EXPIRED": "transactions whose expiry block is past",
    "SLOT_BUSY": "orders into a slot that is in use",
    "WOULD_TAKE": "post-only orders that would have taken",
    "WOULD_INCREASE": "reduce-only orders that would have increased",
    "CANNOT_FILL": "fill-or-kill orders without the volume",
    "MARGIN": "orders that the account's margin does not carry",
    "BOOK_FULL": "orders into a full side of a book",
    "TOO_MANY_ORDERS": "orders beyond the account's limit",
    "NOT_LIQUIDATABLE": "liquidations of an account in no danger",
    "ALREADY_LIQUIDATED": "liquidations beyond the limits of a block",
    "INSURANCE_EMPTY": "liquidations whose loss the fund cannot pay",
    "NOTHING_TO_TAKE": "liquidations without a price to take",
    "NO_FUNDS": "withdrawals of more than is free",
    "WITHDRAWALS_GATED": "withdrawals while they are blocked",
    "ISOLATED": "orders that would mix an isolated market with another",
    "UNFAIR_PRICE": "liquidations in which the account would get too little",
    "BANKRUPT": "liquidations of an account without equity",
    "SELF_TRADE": "orders dropped because they met their own account's",
}


def _refused(status: Status) -> Metric:
    told = _REFUSED.get(status.name, status.name.lower().replace("_", " "))
    return Metric(
        f"reject_{status.name.lower()}",
        "count",
        f"refused: {told}",
        "low",
        lambda run: run.exchange.counters[status],
    )


METRICS = tuple(_refused(status) for status in Status if status > Status.REJECTED)
