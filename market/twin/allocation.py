"""Who gives up how many lots of a position that is deleveraged: queues and shares.

- `HYPERLIQUID`, `BINANCE`, `BITMEX`: a queue by score; each gives all it has until the
  position is closed.
- `PRO_RATA`: lots in proportion to the profit on the position, by largest remainder
  (to the size, where nobody has a profit). A lot costs everyone the same, so that this
  is one haircut on all profits. Nobody can give more lots than it has: what its share
  is over that stays with the closed account, and the next block asks again.
- `CAPPED_PRO_RATA`: the same, but what one cannot give the others do, to one level;
  what is left when all winners are closed, the rest gives by what it still holds.
- `CONTRACT_PRO_RATA`: lots in proportion to lots, floored. What the floors leave, less
  than a lot a holder, stays with the closed account until the next block: fewer lots
  than holders go by largest remainder, so that dust has an end.

This file takes the scores from `market.rules.ranking`, and the exact allocations from
`market.venues.rankings`, which no compiled form uses.
"""

from market.rules import ranking
from market.twin.lane import Lane
from market.twin.liquidation import bankruptcy_quote
from market.twin.margin import account_risk
from market.types.specs import Deleveraging
from market.venues import rankings


def allocate(lane: Lane, target: int, market: int) -> list[int]:
    """Lots that each account gives of the target's position."""
    held, rule = lane.position[target][market], lane.spec.deleveraging
    sizes = [abs(row[market]) if row[market] * held < 0 else 0 for row in lane.position]
    if rule == Deleveraging.CONTRACT_PRO_RATA:
        return rankings.contract_pro_rata(sizes, abs(held))
    if rule in (Deleveraging.PRO_RATA, Deleveraging.CAPPED_PRO_RATA):
        profits = [
            max(profit_of(lane, account, market), 0) if size else 0
            for account, size in enumerate(sizes)
        ]
        if rule == Deleveraging.CAPPED_PRO_RATA:
            return take_capped(profits, sizes, abs(held))
        shares = rankings.pro_rata(profits if any(profits) else sizes, abs(held))
        return [min(share, size) for share, size in zip(shares, sizes, strict=True)]
    scores = [score_of(lane, account, market) for account in lane.accounts]
    return take_by_score(scores, sizes, abs(held))


def take_by_score(scores: list[int], sizes: list[int], lots: int) -> list[int]:
    """All of each, highest score first, equal scores in account order."""
    return rankings.in_order(rankings.ranked(scores), sizes, lots)


def take_capped(profits: list[int], sizes: list[int], lots: int) -> list[int]:
    """By profits within the sizes; what that leaves, by what is still held."""
    taken, left = rankings.capped_pro_rata(profits, sizes, lots)
    kept = [size - gone for size, gone in zip(sizes, taken, strict=True)]
    more = rankings.pro_rata(kept, left)
    return [a + b for a, b in zip(taken, more, strict=True)]


def profit_of(lane: Lane, account: int, market: int) -> int:
    """Unrealised profit of a position."""
    value = lane.position[account][market] * lane.unit[market]
    return value - lane.cost[account][market]


def score_of(lane: Lane, account: int, market: int) -> int:
    """Rank of a counterparty: the highest gives first; 0 for one without a position."""
    held, cost = lane.position[account][market], lane.cost[account][market]
    if held == 0:
        return 0
    value, risk = held * lane.unit[market], account_risk(lane, account)
    if lane.spec.deleveraging == Deleveraging.HYPERLIQUID:
        amounts = abs(value), abs(cost), abs(value)
        return int(ranking.hyperliquid_score(*amounts, risk.equity, held < 0))
    if lane.spec.deleveraging == Deleveraging.BINANCE:
        profit = sum(profit_of(lane, account, each) for each in lane.markets)
        wallet, required = risk.equity - profit, risk.maintenance
        return int(ranking.binance_score(wallet, profit, required))
    # At its bankruptcy price the position is worth what it can lose less.
    bankrupt = bankruptcy_quote(lane, account, market, -held)
    return int(ranking.bitmex_score(value, cost, value - bankrupt))
