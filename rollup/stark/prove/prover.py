"""Proves a batch of position updates.

The order of the protocol: commit to the trace; draw the look-up challenge and commit
to the look-up columns; draw the rules' challenge and commit to the quotient; draw a
point outside the domain and open everything there; draw the batching challenge and
run FRI on the DEEP combination; do the proof of work; open the queries.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rollup.stark.prove.commitment import Tree, extend
from rollup.stark.prove.constraints import RuleEvaluator, quotient_values
from rollup.stark.prove.fri import FriProver
from rollup.stark.prove.lookup import lookup_columns
from rollup.stark.prove.openings import deep_values, quotient_columns, values_at
from rollup.stark.prove.trace import build_trace, claimed_sums
from rollup.stark.rules.arithmetic import P, root_of_unity
from rollup.stark.rules.layout import layout_for
from rollup.stark.rules.parameters import BLOWUP, SHIFT, StarkParameters
from rollup.stark.rules.statement import PublicInputs
from rollup.stark.verify.proof import (
    Opening,
    Proof,
    Query,
    encode,
    pack_extensions,
    pack_words,
)
from rollup.stark.verify.transcript import Transcript
from rollup.stark.witness.accounts import AccountTable
from rollup.stark.witness.batch import BatchUpdates, UnprovableBatchError, VenueState
from rollup.stark.witness.witness import build_witness, public_inputs


@dataclass(frozen=True)
class Committed:
    """Extended columns [C, 4, n] and the tree over their rows."""

    values: np.ndarray
    tree: Tree

    @classmethod
    def to(cls, values: np.ndarray) -> "Committed":
        """Commits to extended columns."""
        return cls(values, Tree(values.reshape(values.shape[0], -1)))

    def open(self, index: int) -> Opening:
        """The row at a point of the domain, by its natural index."""
        coset, row = index % BLOWUP, index // BLOWUP
        words = tuple(int(v) for v in self.values[:, coset, row])
        return Opening(words, self.tree.path(coset * self.values.shape[2] + row))


def _timed(clock: dict | None) -> Callable[[str], None]:
    """Notes seconds since the last call, of the wall and of all cores together."""
    last = [time.perf_counter(), time.process_time()]

    def note(name: str) -> None:
        now = [time.perf_counter(), time.process_time()]
        if clock is not None:
            clock[name] = now[0] - last[0]
            clock[f"{name}.cpu"] = now[1] - last[1]
        last[:] = now

    return note


def prove_trace(
    trace: np.ndarray,
    public: PublicInputs,
    parameters: StarkParameters,
    clock: dict | None = None,
) -> bytes:
    """The proof of a filled trace; nothing checks here that the trace is right.

    Args:
        trace: uint32 [width, rows].
        public: what is claimed.
        parameters: shape of the proof.
        clock: if given, receives the seconds of each stage.
    """
    note = _timed(clock)
    layout = layout_for(parameters.markets)
    claims = claimed_sums(trace, public, parameters.markets)
    base = extend(trace)
    note("extend")
    base = Committed.to(base)
    note("commit")
    transcript = Transcript(public.encode(parameters))
    transcript.absorb(base.tree.root + pack_words(claims))
    lookup = transcript.extension()
    aux_trace = lookup_columns(trace, layout, lookup)
    note("lookup")
    aux = Committed.to(extend(aux_trace))
    transcript.absorb(aux.tree.root)
    note("commit_lookup")
    alpha = transcript.extension()
    evaluator = RuleEvaluator(parameters, public, lookup, claims, alpha)
    rules = quotient_values(base.values, aux.values, evaluator)
    note("rules")
    quotient = Committed.to(quotient_columns(rules, parameters))
    transcript.absorb(quotient.tree.root)
    note("commit_quotient")
    point = transcript.extension()
    next_point = point * root_of_unity(parameters.rows)
    here, after = (
        a + b
        for a, b in zip(
            values_at(trace, [point, next_point]),
            values_at(aux_trace, [point, next_point]),
            strict=True,
        )
    )
    unshifted = point * pow(SHIFT, -1, P)
    (split,) = values_at(quotient.values[:, 0], [unshifted])
    transcript.absorb(pack_extensions(here + after + split))
    note("open_outside")
    batch = transcript.extension()
    word = deep_values(
        base.values,
        aux.values,
        quotient.values,
        (here, after, split),
        point,
        batch,
        parameters,
    )
    note("deep")
    fri = FriProver(word, parameters, transcript)
    transcript.absorb(pack_extensions(fri.final))
    note("fri")
    nonce = transcript.grind(parameters.grinding)
    transcript.absorb(nonce.to_bytes(8, "little"))
    queries = [
        Query(
            base.open(index),
            aux.open(index),
            quotient.open(index),
            [Opening(*leaf) for leaf in fri.open(index)],
        )
        for index in transcript.indices(parameters.queries, parameters.domain)
    ]
    proof = Proof(
        parameters,
        [base.tree.root, aux.tree.root, quotient.tree.root],
        claims,
        here,
        after,
        split,
        fri.roots,
        fri.final,
        nonce,
        queries,
    )
    data = encode(proof)
    note("queries")
    return data


@dataclass(frozen=True)
class Proven:
    """A proof with the public inputs that it is for."""

    proof: bytes
    public: PublicInputs


def prove(
    old_accounts: AccountTable,
    updates: BatchUpdates,
    venue: VenueState,
    parameters: StarkParameters | None = None,
    clock: dict | None = None,
) -> Proven:
    """Builds the witness, derives the public inputs and proves the batch.

    Raises:
        UnprovableBatchError: the batch breaks a rule or a bound; the message names it.
    """
    markets = old_accounts.positions.shape[1]
    parameters = parameters or StarkParameters(markets=markets).for_updates(
        len(updates.account)
    )
    note = _timed(clock)
    witness = build_witness(old_accounts, updates, venue, parameters)
    public = public_inputs(witness, venue)
    problem = public.problem(parameters)
    if problem:
        raise UnprovableBatchError(problem)
    note("witness")
    trace = build_trace(witness, public, parameters)
    note("trace")
    return Proven(prove_trace(trace, public, parameters, clock), public)


def prove_batch(
    old_accounts: AccountTable,
    updates: BatchUpdates,
    public: PublicInputs,
    parameters: StarkParameters,
) -> bytes:
    """Proves that the updates lead to the given public inputs.

    Raises:
        UnprovableBatchError: they do not, or the batch breaks a rule or a bound.
    """
    venue = VenueState(
        public.segments, public.multipliers, public.risk_factor_ppm, public.batch
    )
    proven = prove(old_accounts, updates, venue, parameters)
    if proven.public != public:
        raise UnprovableBatchError("the updates do not lead to these public inputs")
    return proven.proof
