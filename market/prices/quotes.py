"""Builds price models from the numbers people write: dollars, fractions, seconds.

Runs on the host. Decimals become whole ticks, ppm and microseconds once, here; each
number out of range is refused with its name and what is allowed.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from market.numbers.declared import declared_of, key_of
from market.numbers.units import PPM, as_int
from market.prices.bars import Gaps, bars_in_ticks
from market.prices.correlated import LEAST_CORRELATION_PPM, DrivenParams
from market.prices.crash import CRASH, FIGURES, CrashParams, Figures
from market.prices.jump_diffusion import JUMP_DIFFUSION, JumpDiffusionParams
from market.prices.klines import Klines
from market.prices.model import PriceModel
from market.prices.paths import PriceParams, PriceSpec, Shocks
from market.prices.replay import REPLAY, ReplayParams
from market.prices.ticks import PriceError, whole_ppm, whole_ticks, whole_us

Number = Decimal | str | float | int


class Quote(NamedTuple):
    """A market's first price and the price of one tick, both in quote currency."""

    price: Number
    tick: Number


class Driven(NamedTuple):
    """A market that follows the first."""

    quote: Quote
    beta: Number = "1.1"
    correlation: Number = "0.85"


class Shock(NamedTuple):
    """A lasting step of the first market's price."""

    at_seconds: Number
    size: Number  # a fraction: -0.1 takes a tenth of the price away


def crash_prices(
    first: Quote,
    driven: Sequence[Driven] = (),
    shocks: Sequence[Shock] = (),
    *,
    figures: str | Figures = "2020-03-12",
    calm: Number = "0.0006",
) -> tuple[PriceSpec, PriceParams]:
    """A random path through the figures of a crash.

    Args:
        first: the market that crashes.
        driven: the markets that follow it.
        shocks: further steps of the first market.
        figures: a name of `FIGURES`, or figures of one's own.
        calm: standard deviation of a minute before the crash, a fraction.

    Raises:
        PriceError: a number is out of range, or figures contradict each other.
    """
    numbers = _figures(figures)
    model = CrashParams(
        minutes=as_int(numbers.minutes),
        depth_ppm=_ppm(numbers.depth, "depth", 0.001, 0.9),
        worst_ppm=_ppm(numbers.worst, "worst", 0.001, 0.5),
        widest_ppm=_ppm(numbers.widest, "widest", 0.001, 0.5),
        deviation_ppm=_ppm(numbers.deviation, "deviation", 0.0001, 0.2),
        calm_ppm=_ppm(calm, "calm", 0, 0.01),
        rebound_ppm=_ppm(numbers.rebound, "rebound", 0.001, 5),
    )
    _check_figures(model, numbers.minutes)
    return prices_of(CRASH, model, first, driven, shocks)


def replay_prices(
    klines: Klines,
    tick: Number,
    driven: Sequence[Driven] = (),
    shocks: Sequence[Shock] = (),
    *,
    start_minute: int = 0,
    minutes: int | None = None,
    gaps: Gaps = "refuse",
) -> tuple[PriceSpec, PriceParams]:
    """A replay of a kline file, from ``start_minute`` of it on, for so many minutes.

    Args:
        klines: rows of the file (`market.prices.klines`).
        tick: of the first market.
        driven: the markets that follow it.
        shocks: further steps of the first market.
        start_minute: how many minutes of the file are left out.
        minutes: how many the run uses; all that follow, if None.
        gaps: what to do about minutes that the file leaves out.

    Raises:
        KlineError: what the run uses of the file is bad (`market.prices.bars`).
        PriceError: another number is out of range.
    """
    bars = bars_in_ticks(
        klines, tick, start_minute=start_minute, minutes=minutes, gaps=gaps
    )
    model = ReplayParams(bars=as_int(bars))
    return PriceSpec(REPLAY, 1 + len(driven)), _params(
        int(bars[0, 0]), model, driven, shocks
    )


def jump_diffusion_prices(
    first: Quote,
    driven: Sequence[Driven] = (),
    shocks: Sequence[Shock] = (),
    **numbers: Number,
) -> tuple[PriceSpec, PriceParams]:
    """A jump-diffusion.

    Args:
        first: the market that moves by itself.
        driven: the markets that follow it.
        shocks: further steps of the first market.
        numbers: fractions, by the names in `JumpDiffusionParams` without ``_ppm``.

    Raises:
        PriceError: a number is out of range.
        TypeError: there is no such number.
    """
    model = {}
    for name, number in declared_of(JumpDiffusionParams).items():
        key = key_of(name)
        given = numbers.pop(key, number.default)
        model[name] = _ppm(given, key, number.least, number.most)
    if numbers:
        raise TypeError(f"a jump-diffusion has no {', '.join(numbers)}")
    return prices_of(
        JUMP_DIFFUSION, JumpDiffusionParams(**model), first, driven, shocks
    )


def prices_of(
    model: PriceModel,
    numbers: Any,
    first: Quote,
    driven: Sequence[Driven] = (),
    shocks: Sequence[Shock] = (),
) -> tuple[PriceSpec, PriceParams]:
    """Any model from its numbers as integers.

    Args:
        model: of the first market.
        numbers: an instance of its parameter class.
        first: the market that moves by itself.
        driven: the markets that follow it.
        shocks: further steps of the first market.

    Raises:
        PriceError: a price, a follower's number or a shock is out of range.
    """
    spec = PriceSpec(model, 1 + len(driven))
    return spec, _params(_ticks(first, "price"), numbers, driven, shocks)


def _ticks(quote: Quote, name: str) -> int:
    return whole_ticks(quote.price, quote.tick, name)


def _ppm(fraction, name, least, most):
    return as_int(whole_ppm(fraction, name, least, most))


def _figures(figures: str | Figures) -> Figures:
    if isinstance(figures, Figures):
        return figures
    if figures not in FIGURES:
        raise PriceError(
            f"unknown crash {figures!r}; allowed are {', '.join(sorted(FIGURES))}"
        )
    return FIGURES[figures]


def _check_figures(model: CrashParams, minutes: int) -> None:
    """Refuses figures that no path can have all at once."""
    depth, worst, widest, rebound = (
        int(value)
        for value in (
            model.depth_ppm,
            model.worst_ppm,
            model.widest_ppm,
            model.rebound_ppm,
        )
    )
    if minutes < 8:
        raise PriceError(f"a crash of {minutes} minutes; allowed are 8 or more")
    if not worst < widest < min(depth, PPM):
        raise PriceError(
            f"the widest minute ({widest} ppm) must lie between the worst minute's "
            f"fall ({worst} ppm) and the depth ({depth} ppm)"
        )
    highest_at_low = widest * (PPM + 6 * widest // 10) // PPM
    if rebound <= highest_at_low or (PPM - depth) * (PPM + highest_at_low) >= PPM**2:
        raise PriceError(
            f"the low's own minute reaches {highest_at_low} ppm above the low; the "
            f"rebound ({rebound} ppm) and the peak must lie above that"
        )


def _params(start, model, driven, shocks) -> PriceParams:
    return PriceParams(
        start_ticks=as_int(start),
        model=model,
        driven=_driven(driven),
        shocks=Shocks(
            at_us=as_int([whole_us(s.at_seconds, "shock time") for s in shocks]),
            size_ppm=as_int([whole_ppm(s.size, "shock", -0.95, 9) for s in shocks]),
        ),
    )


def _driven(driven: Sequence[Driven]) -> DrivenParams:
    least = LEAST_CORRELATION_PPM / PPM
    rows = [
        (
            _ticks(market.quote, f"price of market {number}"),
            whole_ppm(market.beta, f"beta of market {number}", -5, 5),
            whole_ppm(market.correlation, f"correlation of market {number}", least, 1),
        )
        for number, market in enumerate(driven, start=2)
    ]
    start, beta, correlation = np.array(rows, np.int64).reshape(-1, 3).T
    return DrivenParams(
        start_ticks=as_int(start),
        beta_ppm=as_int(beta),
        correlation_ppm=as_int(correlation),
    )
