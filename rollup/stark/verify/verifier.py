"""Decides alone whether a proof shows its public inputs: integers and ``hashlib``.

Imports no JAX and no numpy. Hostile bytes cost at most the parsing of one proof: the
length is checked against the header before anything else is read, and the header is
bounded. The result is a verdict with a reason, never an exception.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from rollup.stark.rules import bands
from rollup.stark.rules import layout as lay
from rollup.stark.rules.air import transition_rules
from rollup.stark.rules.arithmetic import (
    BASIS,
    ONE,
    ZERO,
    Ext,
    P,
    centered,
    horner,
    lagrange_at,
    powers,
    root_of_unity,
)
from rollup.stark.rules.frame import Frame, permutation_rules
from rollup.stark.rules.layout import layout_for, periodic_columns
from rollup.stark.rules.parameters import (
    BLOWUP,
    FOLD,
    LIMB_BITS,
    ROWS,
    SHIFT,
    StarkParameters,
)
from rollup.stark.rules.statement import PublicInputs
from rollup.stark.verify.proof import (
    Opening,
    Proof,
    ProofFormatError,
    decode,
    pack_extensions,
    pack_words,
)
from rollup.stark.verify.transcript import Transcript

LEAF_PERSON, NODE_PERSON = b"shk-leaf", b"shk-node"
DEFAULT = StarkParameters()


class Refused(Exception):  # noqa: N818  (a verdict on its way out, not a fault)
    """The proof does not show the statement; the message says where."""


@dataclass(frozen=True)
class Verdict:
    """Whether a proof was accepted, and why not."""

    ok: bool
    reason: str

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True)
class _Challenges:
    lookup: Ext
    rules: Ext
    point: Ext
    batch: Ext
    folds: list[Ext]
    indices: list[int]


def verify(
    proof: bytes,
    public: PublicInputs,
    min_queries: int = DEFAULT.queries,
    min_grinding: int = DEFAULT.grinding,
) -> Verdict:
    """Checks a proof against its public inputs.

    Args:
        proof: any bytes.
        public: what is claimed.
        min_queries: fewest FRI queries that are accepted; fewer is less soundness.
        min_grinding: fewest bits of proof of work that are accepted.

    Returns:
        A verdict; it never raises on hostile input.
    """
    try:
        _verify(proof, public, min_queries, min_grinding)
    except (Refused, ProofFormatError) as refusal:
        return Verdict(False, str(refusal))
    except ZeroDivisionError:
        return Verdict(False, "a challenge fell on the trace domain")
    return Verdict(True, "accepted")


def _verify(data, public, min_queries: int, min_grinding: int) -> None:
    if not isinstance(public, PublicInputs):
        raise Refused("public inputs of the wrong type")

    def accept(parameters: StarkParameters) -> None:
        if parameters.queries < min_queries or parameters.grinding < min_grinding:
            raise Refused("fewer queries or less grinding than asked for")
        problem = public.problem(parameters)
        if problem:
            raise Refused(problem)

    proof = decode(data, accept)
    challenges = _replay(proof, public)
    _check_claims(proof, public)
    _check_queries(proof, challenges)
    _check_rules(proof, public, challenges)


def _replay(proof: Proof, public: PublicInputs) -> _Challenges:
    """Draws the challenges again, in the prover's order."""
    p = proof.parameters
    transcript = Transcript(public.encode(p))
    transcript.absorb(proof.roots[0] + pack_words(proof.claims))
    lookup = transcript.extension()
    transcript.absorb(proof.roots[1])
    rules = transcript.extension()
    transcript.absorb(proof.roots[2])
    point = transcript.extension()
    transcript.absorb(pack_extensions(proof.here + proof.next + proof.quotient))
    batch = transcript.extension()
    folds = []
    for root in proof.fri_roots:
        transcript.absorb(root)
        folds.append(transcript.extension())
    transcript.absorb(pack_extensions(proof.final))
    if not transcript.work_is_done(proof.nonce, p.grinding):
        raise Refused(
            "the proof of work is missing: made for other public inputs, or changed"
        )
    transcript.absorb(proof.nonce.to_bytes(8, "little"))
    indices = transcript.indices(p.queries, p.domain)
    return _Challenges(lookup, rules, point, batch, folds, indices)


def _check_claims(proof: Proof, public: PublicInputs) -> None:
    """The stated sums are small integers that add up to the public flows."""
    values = [centered(v) for v in proof.claims]
    bound = public.updates << LIMB_BITS
    if any(abs(v) > bound for v in values):
        raise Refused("a claimed sum is out of range")

    def total(start: int, count: int) -> int:
        return sum(v << LIMB_BITS * i for i, v in enumerate(values[start:][:count]))

    amount, allowed = lay.AMOUNT_LIMBS, lay.ALLOWANCE_LIMBS
    if total(0, amount) != public.net_deposit:
        raise Refused("collateral does not change by the net deposit")
    if total(amount, amount) != public.funding_flow:
        raise Refused("funding does not sum to the funding flow")
    if total(2 * amount, allowed) != public.allowance:
        raise Refused("allowances do not sum to what is stated")
    for m in range(proof.parameters.markets):
        start = 2 * amount + allowed + lay.POSITION_LIMBS * m
        if total(start, lay.POSITION_LIMBS):
            raise Refused(f"positions of market {m} do not sum to zero")


def _frame(proof: Proof, public: PublicInputs, ch: _Challenges):
    """Rules of the permutations at the point, and the frame of all others."""
    p = proof.parameters
    rules, outs = [], []
    for slot in range(3):
        columns = proof.here[slot * lay.SLOT : (slot + 1) * lay.SLOT]
        slot_rules, out = permutation_rules(columns)
        rules += slot_rules
        outs.append(out)
    z, n = ch.point, p.rows
    basis = lagrange_at(z ** (n // ROWS), ROWS)
    periodic = {
        name: sum((b * v for b, v in zip(basis, values, strict=True) if v), ZERO)
        for name, values in periodic_columns(p).items()
    }
    last_point = pow(root_of_unity(n), -1, P)
    scale = (z**n - 1) * pow(n, -1, P)
    frame = Frame(
        layout=layout_for(p.markets),
        parameters=p,
        public=public,
        cur=proof.here,
        nxt=proof.next,
        outs=outs,
        periodic=periodic | bands.values_at(p, public, z),
        first=scale * (z - 1).inverse(),
        last=scale * last_point * (z - last_point).inverse(),
        lookup=ch.lookup,
        claims=proof.claims,
    )
    return rules, frame


def _check_rules(proof: Proof, public: PublicInputs, ch: _Challenges) -> None:
    """Combined rules equal the quotient times x^n - 1, at the point outside."""
    rules, frame = _frame(proof, public, ch)
    rules += transition_rules(frame)
    combined = horner(rules, ch.rules)
    z_n = ch.point**proof.parameters.rows
    parts = [
        sum((BASIS[k] * proof.quotient[4 * part + k] for k in range(4)), ZERO)
        for part in range(2)
    ]
    if combined != (parts[0] + parts[1] * z_n) * (z_n - 1):
        raise Refused("the rules do not hold at the point outside the domain")


def _hash_leaf(words: Sequence[int]) -> bytes:
    return hashlib.blake2s(pack_words(words), person=LEAF_PERSON).digest()


def _check_opening(opening: Opening, index: int, root: bytes, what: str) -> None:
    digest = _hash_leaf(opening.words)
    for sibling in opening.path:
        pair = sibling + digest if index & 1 else digest + sibling
        digest = hashlib.blake2s(pair, person=NODE_PERSON).digest()
        index >>= 1
    if digest != root:
        raise Refused(f"an opened {what} is not under its commitment")


def _dot(weights: Sequence[Ext], values: Sequence[int]) -> Ext:
    """Sum of weight times base-field value."""
    return Ext(
        tuple(
            sum(w.c[k] * v for w, v in zip(weights, values, strict=True)) % P
            for k in range(4)
        )
    )


class _Deep:
    """The combination of all columns that FRI shows to be of low degree."""

    def __init__(self, proof: Proof, ch: _Challenges):
        columns = layout_for(proof.parameters.markets).total
        self.weights = powers(ch.batch, 2 * columns + 8)
        self.columns = columns
        self.z = ch.point
        self.next_z = ch.point * root_of_unity(proof.parameters.rows)

        def at(values):
            pairs = zip(self.weights, values, strict=False)
            return sum((w * v for w, v in pairs), ZERO)

        self.here, self.next = at(proof.here), at(proof.next)
        self.quotient = at(proof.quotient)

    def value(self, x: int, row: Sequence[int], quotient: Sequence[int]) -> Ext:
        """Its value at the domain point x from the opened rows."""
        combined = _dot(self.weights[: self.columns], row)
        split = _dot(self.weights[:8], quotient)
        w = self.weights
        over_z = combined - self.here + w[2 * self.columns] * (split - self.quotient)
        over_next = w[self.columns] * (combined - self.next)
        a, b = self.z - x, self.next_z - x
        # one inversion for both denominators
        both = (a * b).inverse()
        return -(over_z * b + over_next * a) * both


def fold_values(values: Sequence[Ext], point: int, challenge: Ext) -> Ext:
    """The folded value of eight values at point times the eighth roots of unity."""
    omega = pow(root_of_unity(FOLD), -1, P)
    ratio = challenge * pow(point, -1, P)
    folded, power = ZERO, ONE
    for i in range(FOLD):
        term = ZERO
        for k, value in enumerate(values):
            term = term + value * pow(omega, i * k % FOLD, P)
        folded = folded + term * power
        power = power * ratio
    return folded * pow(FOLD, -1, P)


def _check_queries(proof: Proof, ch: _Challenges) -> None:
    deep = _Deep(proof, ch)
    for query, index in zip(proof.queries, ch.indices, strict=True):
        _check_query(proof, ch, deep, query, index)


def _check_query(proof: Proof, ch: _Challenges, deep: _Deep, query, index) -> None:
    p = proof.parameters
    leaf = index % BLOWUP * p.rows + index // BLOWUP
    openings = (query.base, query.aux, query.quotient)
    for opening, root in zip(openings, proof.roots, strict=True):
        _check_opening(opening, leaf, root, "row")
    x = SHIFT * pow(root_of_unity(p.domain), index, P) % P
    row = query.base.words + query.aux.words
    expected = deep.value(x, row, query.quotient.words)
    shift = SHIFT
    for layer, size in enumerate(p.fri_sizes):
        opening, stride = query.layers[layer], size // FOLD
        index, part = index % stride, index // stride
        _check_opening(opening, index, proof.fri_roots[layer], "FRI leaf")
        words = opening.words
        values = [Ext(words[4 * k : 4 * k + 4]) for k in range(FOLD)]
        if values[part] != expected:
            raise Refused(f"FRI layer {layer} does not continue the one before")
        point = shift * pow(root_of_unity(size), index, P) % P
        expected = fold_values(values, point, ch.folds[layer])
        shift = pow(shift, FOLD, P)
    point = shift * pow(root_of_unity(p.final_size), index, P) % P
    if horner(proof.final, point) != expected:
        raise Refused("the last FRI polynomial does not continue the layers")
