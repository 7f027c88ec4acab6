"""The formulas of margin, liquidation, funding and deleveraging in the lab's units.

They hold for plain integers and for arrays alike and know nothing of blocks or books.
The block's arrays call them; its kernels and its specification write most of them out,
where the table of `docs/rules.md` says.
The rules of a venue in the venue's own units stand in `market.venues`, and call these
where the formula is the same.
"""
