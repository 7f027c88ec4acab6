"""Arithmetic in the prime field of the proofs, and its number transforms."""
