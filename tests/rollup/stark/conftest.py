"""One honest batch for the whole package: its witness, trace and proof."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from rollup.stark.prove.constraints import RuleEvaluator, broken_rows
from rollup.stark.prove.lookup import lookup_columns
from rollup.stark.prove.prover import prove_trace
from rollup.stark.prove.trace import build_trace, claimed_sums
from rollup.stark.rules.arithmetic import Ext
from rollup.stark.rules.layout import layout_for
from rollup.stark.rules.parameters import StarkParameters
from rollup.stark.rules.statement import PublicInputs
from rollup.stark.verify.verifier import Verdict, verify
from rollup.stark.witness.accounts import AccountTable
from rollup.stark.witness.batch import BatchUpdates, VenueState
from rollup.stark.witness.witness import Witness, build_witness, public_inputs
from tests.rollup.stark import batches

LOOKUP = Ext((11, 22, 33, 44))
ALPHA = Ext((5, 6, 7, 8))


@cache
def evaluator_for(parameters, public, claims) -> RuleEvaluator:
    """The rules at fixed challenges; expanded once per statement."""
    return RuleEvaluator(parameters, public, LOOKUP, claims, ALPHA)


@dataclass(frozen=True)
class Batch:
    """A batch with everything that belongs to its proof."""

    accounts: AccountTable
    updates: BatchUpdates
    venue: VenueState
    parameters: StarkParameters
    witness: Witness
    public: PublicInputs
    trace: np.ndarray
    proof: bytes

    def verify(self, proof: bytes | None = None, public=None) -> Verdict:
        """The verdict on this proof, or on another one or another statement."""
        return verify(
            self.proof if proof is None else proof,
            public or self.public,
            self.parameters.queries,
            self.parameters.grinding,
        )

    def broken(self, trace: np.ndarray, public=None) -> np.ndarray:
        """Rows of a trace where a rule fails, by the prover's own evaluation."""
        public, markets = public or self.public, self.parameters.markets
        claims = claimed_sums(trace, public, markets)
        evaluator = evaluator_for(self.parameters, public, tuple(claims))
        aux = lookup_columns(trace, layout_for(markets), LOOKUP)
        return broken_rows(trace, aux, evaluator)


def build(seed: int, counts=(12, 0, 21, 7), batch: int = 7) -> Batch:
    """An honest batch of some segments of updates among 50 accounts."""
    rng = np.random.default_rng(seed)
    venue, accounts = batches.venue(rng, counts, batch), batches.accounts(rng, 50)
    updates = batches.trades(rng, accounts, venue)
    parameters = batches.SMALL
    witness = build_witness(accounts, updates, venue, parameters)
    public = public_inputs(witness, venue)
    trace = build_trace(witness, public, parameters)
    proof = prove_trace(trace, public, parameters)
    return Batch(accounts, updates, venue, parameters, witness, public, trace, proof)


@pytest.fixture(scope="session")
def honest() -> Batch:
    """The batch that most tests share."""
    return build(seed=1)


@pytest.fixture(scope="session")
def other() -> Batch:
    """A second honest batch, for swaps."""
    return build(seed=2, batch=8)
