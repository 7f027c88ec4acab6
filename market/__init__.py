"""The exchange: integers, book, auction, margin, funding, oracle, liquidation."""

from market.numbers.precision import enable_exact_integers

enable_exact_integers()
