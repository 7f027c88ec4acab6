"""Faults: what may work less, or not at all, for a while; registered here by name."""

from rollup.faults.contract import Conditions, Fault, Strikes
from rollup.faults.oracle import ORACLE_MANIPULATION, ORACLE_SILENCE, ORACLE_STUCK
from rollup.faults.sequencer import CENSORSHIP, SEQUENCER_HALT
from rollup.faults.settlement import DA_OUTAGE, PROVER_DELAY

#: Every kind of fault there is, by the name that a config uses.
FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        SEQUENCER_HALT,
        CENSORSHIP,
        DA_OUTAGE,
        PROVER_DELAY,
        ORACLE_MANIPULATION,
        ORACLE_STUCK,
        ORACLE_SILENCE,
    )
}

__all__ = ["FAULTS", "Conditions", "Fault", "Strikes"]
