"""The exchange as a specification: plain Python, ints and loops, written to be read.

This room says what a block of the exchange does; `market.kernels` and `market.arrays`
do the same fast, file by file under the same names, and tests hold all three equal.
It is a set of records (`lane`) and of functions on them. A transaction that a rule
turns down raises `RejectError` there, and `block` makes its status of that.

Read it in this order: `lane` (the records), `book` and `matching` (price, time and
self-trade), `admission` and `margin` (who may place what), `fills` (what a fill does to
accounts), `block` (what happens in which order). Then auctions: `rounds` (orders that
wait for the price), `auction` (the price), `clearing`. Then losses: `liquidation`,
`staged` and `takeover` by the venue's choice, `deleveraging` and `allocation` for what
they leave, `cover` and `funds`. `messages` is the matching alone. `upkeep` is what a
block of the Hyperliquid preset does around the exchange, and `rules` an independent
twin of dYdX v4's formulas.

The twin shares no code with the compiled forms, except where the first lines of a file
say so.
"""
