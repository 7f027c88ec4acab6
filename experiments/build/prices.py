"""From the config's prices to the price model of `market.prices`."""

from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from experiments.build.numbers import numbers_of
from experiments.config import Config, files
from experiments.config.errors import ConfigError, unknown
from experiments.config.plugins import PRICE_MODEL, resolve
from experiments.config.prices import (
    GENERIC_START,
    START_PRICES,
    USUAL_CRASH,
    CrashConfig,
    ReplayConfig,
)
from market.numbers.units import PPM, QUANTA_PER_USD, US_PER_SECOND
from market.prices import (
    Driven,
    KlineError,
    Klines,
    PriceError,
    PriceParams,
    PriceSpec,
    Quote,
    Shock,
    check_prices,
    crash_prices,
    parse_klines,
    prices_of,
    replay_prices,
)
from market.prices.containers import MAX_BYTES
from market.prices.crash import Figures
from market.prices.replay import minutes_needed
from market.types.specs import VenueSpec


def exact(whole: int, scale: int) -> Decimal:
    """The decimal that a whole number of parts stands for."""
    return Decimal(whole) / scale


def build_prices(config: Config, venue: VenueSpec) -> tuple[PriceSpec, PriceParams]:
    """The price model, checked against the length of the run.

    Raises:
        ConfigError: a price, a figure or the price file cannot be used.
    """
    prices = config.prices
    blocks, block_us = config.world.length, config.world.block_us
    names = [market.name for market in venue.markets]
    for mapping, what in ((prices.start, "start"), (prices.followers, "followers")):
        for name in mapping:
            if name not in names:
                message = unknown("market", name, names)
                raise ConfigError(f"prices.{what}.{name}: {message}")
    if names[0] in prices.followers:
        raise ConfigError(
            f"prices.followers.{names[0]}: the first market follows none; it is driven "
            "by the model"
        )
    try:
        spec, params = _model(config, venue)
        check_prices(params, spec=spec, blocks=blocks, block_us=block_us)
    except KlineError as error:
        raise ConfigError(f"prices.file: {error}") from None
    except PriceError as error:
        key = (
            f"prices.file: {prices.file}"
            if isinstance(prices, ReplayConfig)
            else "prices"
        )
        raise ConfigError(f"{key}: {error}") from None
    return spec, params


def _model(config: Config, venue: VenueSpec) -> tuple[PriceSpec, PriceParams]:
    prices = config.prices
    first, *others = [_quote(config, market) for market in venue.markets]
    driven = [
        _driven(config, market.name, quote)
        for market, quote in zip(venue.markets[1:], others, strict=True)
    ]
    shocks = [
        Shock(exact(s.at, US_PER_SECOND), exact(s.size, PPM)) for s in prices.shocks
    ]
    match prices:
        case CrashConfig():
            figures = prices.figures or USUAL_CRASH
            if prices.custom is not None:
                own = prices.custom
                texts = {
                    name: str(exact(getattr(own, name), PPM))
                    for name in Figures._fields
                    if name != "minutes"
                }
                figures = Figures(minutes=own.minutes, **texts)
            calm = exact(prices.calm, PPM)
            return crash_prices(first, driven, shocks, figures=figures, calm=calm)
        case ReplayConfig():
            return replay_prices(
                _klines(prices.file, prices.sha256, tuple(prices.columns)),
                first.tick,
                driven,
                shocks,
                start_minute=prices.start_minute,
                minutes=minutes_needed(config.world.length, config.world.block_us),
                gaps=prices.gaps,
            )
        case _:
            model = resolve(prices.model, PRICE_MODEL)
            numbers = numbers_of(model.params, prices)
            return prices_of(model, numbers, first, driven, shocks)


@lru_cache(maxsize=4)
def _klines(file: str, sha256: str, columns: tuple[str, ...]) -> Klines:
    """The rows of a price file; the points of a sweep read it once."""
    data = files.read_same(Path(file), MAX_BYTES, sha256)
    return parse_klines(data, Path(file).name, columns)


def _quote(config: Config, market) -> Quote:
    start = config.prices.start.get(market.name)
    if start is None:
        price = START_PRICES.get(market.name, GENERIC_START)
    else:
        price = exact(start, QUANTA_PER_USD)
    return Quote(price, market.tick_usd)


def _driven(config: Config, name: str, quote: Quote) -> Driven:
    follower = config.prices.followers.get(name)
    if follower is None:
        return Driven(quote)
    return Driven(quote, exact(follower.beta, PPM), exact(follower.correlation, PPM))
