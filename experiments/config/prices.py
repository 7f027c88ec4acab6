"""The section of a config on prices: what the world outside does."""

# pyright: reportInvalidTypeForm=false

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, cast

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    SerializeAsAny,
    Tag,
    field_validator,
    model_validator,
)

from experiments.config import files
from experiments.config.declared import section_of
from experiments.config.errors import ConfigError, unknown
from experiments.config.plugins import (
    PRICE_MODEL,
    PluginError,
    is_path,
    named,
    resolve,
)
from experiments.config.values import Section, duration, ratio, usd, whole, wrong_value
from market.prices import PriceModel
from market.prices.containers import MAX_BYTES
from market.prices.jump_diffusion import JumpDiffusionParams

#: First prices where a config names none, USD.
START_PRICES = {"BTC": "100000", "ETH": "3500", "SOL": "180"}
GENERIC_START = "10"
#: The crash of a config that names none.
USUAL_CRASH = "2020-03-12"


class FollowerConfig(Section):
    """A market that follows the first one."""

    beta: ratio(-5, 5) = Field(default=1.1, description="slope of log returns")
    correlation: ratio(0.05, 1) = Field(default=0.85)


class ShockConfig(Section):
    """A lasting step of the first market's price."""

    at: duration("0s")
    size: ratio(-0.95, 9) = Field(description="-0.1 takes a tenth away")


class _Prices(Section):
    """What all models share."""

    start: dict[str, usd(1e-6, 1e9)] = Field(
        default={}, description="first price by market"
    )
    followers: dict[str, FollowerConfig] = Field(
        default={}, description="how each further market follows the first"
    )
    shocks: Annotated[list[ShockConfig], Field(max_length=64)] = Field(
        default=[], description="lasting steps of the first market"
    )


class CrashFigures(Section):
    """Figures of a crash of one's own."""

    depth: ratio(0.001, 0.9) = Field(description="peak to low")
    minutes: whole(8, 1440) = Field(description="from peak to low")
    worst: ratio(0.001, 0.5) = Field(description="fall of the worst minute")
    widest: ratio(0.001, 0.5) = Field(description="range of the widest minute")
    deviation: ratio(0.0001, 0.2) = Field(description="of one-minute returns")
    rebound: ratio(0.001, 5) = Field(description="over the low")


class CrashConfig(_Prices):
    """A random path through the published figures of a real crash."""

    model: Literal["crash"] = "crash"
    figures: str | None = Field(
        default=None,
        description=f"date of a published crash; {USUAL_CRASH} where neither it nor "
        "custom is given",
    )
    custom: CrashFigures | None = Field(
        default=None, description="figures of one's own instead"
    )
    calm: ratio(0, 0.01) = Field(
        default=0.0006, description="deviation of a calm minute"
    )

    @field_validator("figures")
    @classmethod
    def _known(cls, figures: str | None) -> str | None:
        from market.prices import FIGURES

        if figures is not None and figures not in FIGURES:
            raise wrong_value(unknown("crash", figures, FIGURES))
        return figures

    @model_validator(mode="after")
    def _one_crash(self) -> "CrashConfig":
        if self.figures is not None and self.custom is not None:
            raise wrong_value(
                f"figures = {self.figures} and custom: give one of them; the other "
                "has no effect (null takes it back)"
            )
        return self


class ReplayConfig(_Prices):
    """A replay of a kline file."""

    model: Literal["replay"]
    file: str = Field(description="CSV of one-minute klines, also in a zip or gzip")
    start_minute: whole(0, 100_000_000) = Field(
        default=0, description="minutes of the file left out"
    )
    gaps: Literal["refuse", "hold", "interpolate"] = Field(
        default="refuse",
        description="minutes that the file leaves out: refuse it; hold the last close; "
        "or a straight line from that close to the next open",
    )
    columns: Annotated[list[str], Field(max_length=64)] = Field(
        default=[],
        description="what each column is, from the left: time, open, high, low, close, "
        "others by any other word; as header or numbers say, if empty",
    )
    _sha256: str = PrivateAttr("")

    @field_validator("columns")
    @classmethod
    def _all_told(cls, columns: list[str]) -> list[str]:
        from market.prices.layouts import told_layout

        if columns:
            try:
                told_layout(columns)
            except ValueError as error:
                raise wrong_value(str(error)) from None
        return columns

    @model_validator(mode="after")
    def _find_file(self) -> "ReplayConfig":
        """Takes the file's digest; by its full name it is found from any folder."""
        try:
            path = files.expanded(self.file).absolute()
            self._sha256 = files.digest_of(path, MAX_BYTES)
        except ConfigError as error:
            raise wrong_value(f"file: {error}") from None
        object.__setattr__(self, "file", str(path))
        return self

    @property
    def sha256(self) -> str:
        """What the file holds: this, not its name, is part of the experiment."""
        return self._sha256


class _JumpDiffusion(_Prices):
    """What the numbers of the process join."""

    model: Literal["jump_diffusion"]


JumpDiffusionConfig = cast(
    type[_JumpDiffusion],
    section_of("JumpDiffusionConfig", JumpDiffusionParams, base=_JumpDiffusion),
)


class OwnModelConfig(_Prices):
    """A price model of the user's own; its numbers join in `_read_own`."""

    model: named(PRICE_MODEL) = Field(description="import path of a `PriceModel`")


def _read_own(given: Any) -> Any:
    """The section of a model that is named by its import path; others as they are."""
    if not isinstance(given, Mapping):
        return given
    if "model" not in given:
        raise wrong_value("needs the key model")
    try:
        model = resolve(str(given["model"]), PRICE_MODEL)
    except PluginError as error:
        raise wrong_value(str(error)) from None
    if not is_path(str(given["model"])):
        return given
    section = own_section(model)
    for key in given:
        if key not in section.model_fields:
            raise wrong_value(unknown("key", key, section.model_fields))
    return section.model_validate(dict(given))


@cache
def own_section(model: PriceModel) -> type[OwnModelConfig]:
    """The section of a price model: what all have, and the numbers that it declares."""
    name = f"{model.name}_prices"
    return cast(
        type[OwnModelConfig], section_of(name, model.params, base=OwnModelConfig)
    )


def _tag(prices: Any) -> str | None:
    """Which section a document or a section is of."""
    if isinstance(prices, OwnModelConfig):
        return "own"
    if isinstance(prices, Mapping):
        return prices.get("model")
    return getattr(prices, "model", None)


PricesConfig = Annotated[
    Annotated[CrashConfig, Tag("crash")]
    | Annotated[ReplayConfig, Tag("replay")]
    | Annotated[JumpDiffusionConfig, Tag("jump_diffusion")]
    | Annotated[SerializeAsAny[OwnModelConfig], Tag("own")],
    Field(discriminator=Discriminator(_tag)),
    BeforeValidator(_read_own),
]
