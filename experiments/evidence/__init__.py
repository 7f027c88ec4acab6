"""Proofs and inclusion proofs of a run, and the records they rest on."""
