"""The exchange block as array operations over one lane, for devices without a kernel.

Each function is the counterpart of one in `market.kernels`, with a mask ``on`` instead
of a branch. The code is written for one lane and run under ``vmap`` with the axis name
`lane.LANES`: `lane.any_lane` makes a predicate that is the same for all lanes, so that
loops and conditionals stay real ones instead of selecting whole states.
"""
