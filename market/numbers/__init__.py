"""Numbers that every other room builds on.

Money, prices and sizes are whole numbers here: their units, products beyond 63 bits,
logarithms in fixed point, random words with the tables that shape them, and the numbers
that a class of parameters declares. This room knows nothing of markets.
"""
