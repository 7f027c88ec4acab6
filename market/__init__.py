"""The market: what one block of a venue does, exactly, for plain ints and for arrays.

`market.block` runs a block and `market.exchange` its transactions, by one of three
forms: `market.twin` is the specification in plain Python, `market.kernels` runs on a
CPU, `market.arrays` on any device. `market.match` is matching alone, for message
streams. Importing this package switches 64-bit integers on, in the one place where the
lab does that.
"""

from market.numbers.precision import enable_exact_integers

enable_exact_integers()
