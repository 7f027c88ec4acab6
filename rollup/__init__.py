"""The chain: mempool, sequencing, faults, batches, roots, proofs, settlement."""
