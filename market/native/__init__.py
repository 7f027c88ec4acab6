"""How Numba's kernels enter XLA's programs, and when they are compiled anew."""
