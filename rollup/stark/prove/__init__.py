"""The prover: traces, commitments, quotients, FRI and openings."""
