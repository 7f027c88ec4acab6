"""What a block does by itself, around the transactions.

It takes the oracle's reports, makes the mark, watches the circuit breakers, says what
stands still, samples funding premiums and pays funding when an interval is over. All of
it runs on arrays of all markets at once, the same in every form of the exchange.
"""
