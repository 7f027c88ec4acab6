"""The array form of a block: what a GPU runs, and a check of the kernels elsewhere.

Every function works on one lane and is mapped over all lanes at once, so there are no
branches: what a transaction does is *masked*. A function that changes the lane takes
``on``, a bool, and returns the lane as it came where that is False; where its outcome
has no meaning then, it may be anything. Code that is rare stands under `lane.when`,
which skips it in blocks where no lane needs it.

File by file this room holds what `market.kernels` and `market.twin` hold, under the
same names: a rule is found in the same place three times. The rules are explained in
the twin.
"""
