"""Ordering schemes, one module each, registered here by name."""

from rollup.sequencing.batch_auction import BATCH_AUCTION
from rollup.sequencing.composed import COMPOSED
from rollup.sequencing.contract import Scheme
from rollup.sequencing.fcfs import FCFS
from rollup.sequencing.priority_fee import PRIORITY_FEE

#: Every ordering scheme there is, by the name that a config uses.
SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme for scheme in (FCFS, PRIORITY_FEE, BATCH_AUCTION, COMPOSED)
}

__all__ = ["SCHEMES", "Scheme"]
