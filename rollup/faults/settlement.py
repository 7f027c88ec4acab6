"""Faults on the way to settlement: data and proofs come slower, or not at all."""

from rollup.faults.contract import Conditions, Fault, Strikes


def _posts_slower(conditions: Conditions, strikes: Strikes) -> Conditions:
    return conditions.slowed("data", strikes.worst_ppm())


def _proves_slower(conditions: Conditions, strikes: Strikes) -> Conditions:
    return conditions.slowed("prover", strikes.worst_ppm())


DA_OUTAGE = Fault(
    "da_outage",
    "the data of batches is posted slower, or not at all",
    _posts_slower,
    label="DA outage",
)
PROVER_DELAY = Fault(
    "prover_delay", "batches are proven slower, or not at all", _proves_slower
)
