"""Frequent batch auction: the block is one sealed uniform-price auction.

Orders stay sealed until the block closes, and may be cancelled, reduced or replaced
until then. Inside a block time has no value, but of one account what it sent last
counts, so the block keeps the order of arrival. A quote is thus lost to a sniper only
if its cancel misses the sniper's block: for a reaction x and blocks of τ, with chance
min(1, x/τ). Matching: `market.twin.rounds`.

Source: Budish, Cramton and Shim, The High-Frequency Trading Arms Race, QJE 2015.
"""

from rollup.sequencing.contract import Mode, SenderOrder
from rollup.sequencing.fcfs import by_arrival
from rollup.sequencing.stateless import stateless

#: The earliest arrivals enter the auction of a block; everyone pays the gas fee.
BATCH_AUCTION = stateless(
    "batch_auction", by_arrival, mode=Mode.AUCTION, sender_order=SenderOrder.BY_TIME
)
