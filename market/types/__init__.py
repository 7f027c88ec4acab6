"""What every room of the market shares, and no rule.

Orders and their outcomes, the specification and the parameters of a venue, the state of
an exchange, what a block is given from outside, every bound (`limits`), and the order
in which a compiled form takes its operands (`layout`).
"""
