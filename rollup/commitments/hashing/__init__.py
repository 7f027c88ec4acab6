"""Hashes of the commitments: batched kernels in JAX and their plain-Python twins."""
