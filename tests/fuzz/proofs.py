"""A proof to damage: a true statement under a proof of noise, made in no time."""

import random

import numpy as np

from rollup.stark.verify.files import pack
from rollup.stark.witness.witness import build_witness, public_inputs
from tests.rollup.stark import batches


def proof_of_a_batch() -> bytes:
    """The container of a proof, whose public inputs are those of a real batch."""
    rng = np.random.default_rng(1)
    venue = batches.venue(rng, (12, 0, 21), 7)
    accounts = batches.accounts(rng, 50)
    updates = batches.trades(rng, accounts, venue)
    public = public_inputs(
        build_witness(accounts, updates, venue, batches.SMALL), venue
    )
    return pack(random.Random(1).randbytes(20_000), public)
