"""What the prover is told of a batch: accounts, paths and amounts."""
