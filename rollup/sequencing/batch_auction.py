"""Frequent batch auction: the block is one sealed uniform-price auction.

Orders stay sealed until the block closes; inside it time has no value. Cancels of the
block are effective whenever they came. Matching: `market.arrays.auction`.

Source: Budish, Cramton and Shim, The High-Frequency Trading Arms Race, QJE 2015.
"""

from rollup.sequencing.contract import Mode
from rollup.sequencing.fcfs import by_arrival
from rollup.sequencing.stateless import stateless

#: The earliest arrivals enter the auction of a block; everyone pays the gas fee.
BATCH_AUCTION = stateless("batch_auction", by_arrival, mode=Mode.AUCTION)
