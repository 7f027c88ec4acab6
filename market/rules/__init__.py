"""The rules of real venues in their own units, on plain ints: for the prompt and tests.

``dydx_v4``, ``starkex`` (dYdX v3) and ``hyperliquid`` are the presets; ``adl`` holds
the rankings of centralised venues and the allocation rules, ``drift`` socialised loss.
The formulas that do not depend on units are in :mod:`market.rules.margin`,
:mod:`market.rules.liquidation`, :mod:`market.rules.funding`, and are not written twice.
"""
