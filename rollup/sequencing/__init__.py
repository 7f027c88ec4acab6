"""Ordering schemes, one module each, registered here by name."""

from rollup.sequencing.batch_auction import BatchAuction
from rollup.sequencing.contract import Ordering, Policy, SequencerParams
from rollup.sequencing.fcfs import FirstComeFirstServed
from rollup.sequencing.priority_fee import PriorityFee

#: Every ordering scheme there is, by the name that a config uses.
POLICIES: dict[str, Policy] = {
    policy.name: policy
    for policy in (FirstComeFirstServed(), PriorityFee(), BatchAuction())
}

__all__ = ["POLICIES", "Ordering", "Policy", "SequencerParams"]
