"""Exogenous prices: what the world outside does, in whole ticks per block.

One market is driven by a model (a replayed file, a drawn crash, a jump-diffusion);
shocks may be added to it; the others follow it. A path depends on the run's key and
the numbers alone, so that all venues compared on one seed see the same prices. Paths
are integer JAX functions: equal on every device, with or without lanes.
"""

from market.prices.containers import KlineError
from market.prices.crash import FIGURES
from market.prices.klines import Klines, parse_klines, read_klines
from market.prices.model import PriceModel
from market.prices.paths import (
    MODELS,
    PriceParams,
    PriceSpec,
    Shocks,
    check_prices,
    price_path,
)
from market.prices.quotes import (
    Driven,
    Quote,
    Shock,
    crash_prices,
    jump_diffusion_prices,
    prices_of,
    replay_prices,
)
from market.prices.ticks import PriceError

__all__ = [
    "FIGURES",
    "MODELS",
    "Driven",
    "KlineError",
    "Klines",
    "PriceError",
    "PriceModel",
    "PriceParams",
    "PriceSpec",
    "Quote",
    "Shock",
    "Shocks",
    "check_prices",
    "crash_prices",
    "jump_diffusion_prices",
    "parse_klines",
    "price_path",
    "prices_of",
    "read_klines",
    "replay_prices",
]
