"""The section of a config on the sequencer: its ordering scheme and its numbers."""

# pyright: reportInvalidTypeForm=false

from dataclasses import is_dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    create_model,
    model_validator,
)

from experiments.config.declared import fields_of, section_of
from experiments.config.errors import explain
from experiments.config.plugins import SCHEME, named, resolve
from experiments.config.values import (
    Section,
    duration,
    format_duration,
    parse_duration,
    whole,
    wrong_value,
)
from rollup.sequencing.classes import CLASSES, JUDGES
from rollup.sequencing.composed import (
    MAX_HOLD_US,
    MIN_EVERY_US,
    PAYS,
    RANKS,
    Composed,
    composed,
)
from rollup.sequencing.contract import Scheme, SequencerParams

Class = Literal[*CLASSES]
Hold = int | tuple[int, int]


def _read_hold(value: Any) -> Hold:
    ends = value if isinstance(value, list | tuple) else (value,)
    if len(ends) != 2 and ends is value:
        raise wrong_value("must be a duration, or the least and the most of a range")
    delays = [parse_duration(end) for end in ends]
    if max(delays) > MAX_HOLD_US:
        raise wrong_value(f"must be at most {format_duration(MAX_HOLD_US)}")
    return delays[0] if ends is not value else (delays[0], delays[1])


def _show_hold(hold: Hold) -> str | list[str]:
    if isinstance(hold, int):
        return format_duration(hold)
    return [format_duration(end) for end in hold]


_Hold = Annotated[
    Any,
    BeforeValidator(_read_hold),
    PlainSerializer(_show_hold, when_used="json"),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}),
]


class ComposedConfig(Section):
    """The parts of a composed scheme; what is not given is first come first served."""

    hold: dict[Class, _Hold] = Field(
        default={},
        description="by class: a delay at the gateway, or [least, most] of a random "
        f"one; up to {format_duration(MAX_HOLD_US)}",
    )
    every: duration(f"{MIN_EVERY_US}us", "1d") | None = Field(
        default=None, description="length of a tick; none if not given"
    )
    classes: list[Class | list[Class]] = Field(
        default=[],
        description="order within a tick; a list in the list stands together",
    )
    rank: Literal[*RANKS] = Field(default="arrival", description="order within a class")
    pay: Literal[*PAYS] = Field(default="gas", description="bid: gas and the bid")
    judged: Literal[*JUDGES] = Field(
        default="label", description="what makes an order a take"
    )
    mempool: Literal["sealed", "open"] = Field(
        default="sealed", description="whether others see what has arrived"
    )


_Common = section_of("SequencerNumbers", SequencerParams)


class SequencerConfig(_Common):
    """Who orders transactions, and how."""

    policy: named(SCHEME) = Field(default="fcfs", description="ordering scheme")
    queue: whole(16, 4096) = Field(default=1024, description="capacity of the mempool")
    block_txs: whole(1, 4096) = Field(
        default=256, description="transactions of a block"
    )
    composed: ComposedConfig | None = Field(
        default=None, description="parts of the scheme, if it is a composed one"
    )
    numbers: Annotated[Any, WithJsonSchema({"type": "object"})] = Field(
        default={}, description="numbers of the scheme's own, by their names"
    )

    @model_validator(mode="after")
    def _block_fits(self) -> "SequencerConfig":
        if self.block_txs > self.queue:
            raise wrong_value(
                f"block_txs = {self.block_txs}: must be at most queue = {self.queue}"
            )
        return self

    @model_validator(mode="after")
    def _fits_the_scheme(self) -> "SequencerConfig":
        scheme = resolve(self.policy, SCHEME)
        if self.composed is not None and not isinstance(scheme, Composed):
            raise wrong_value(f"composed: the policy {self.policy} is not composed")
        try:
            object.__setattr__(self, "numbers", own_numbers(scheme, self.numbers))
            _ = self.scheme
        except ValueError as error:
            raise wrong_value(str(error)) from None
        return self

    @cached_property
    def scheme(self) -> Scheme:
        """The ordering scheme itself, composed from its parts where there are any."""
        scheme = resolve(self.policy, SCHEME)
        if not isinstance(scheme, Composed):
            return scheme
        parts = self.composed or ComposedConfig()
        try:
            return composed(name=scheme.name, **dict(parts))
        except ValueError as error:
            raise ValueError(f"composed: {error}") from None


def own_numbers(scheme: Scheme, given: Any) -> Section:
    """The numbers of a scheme beside those that every scheme has, checked.

    Raises:
        ValueError: one is unknown or wrong; says which.
    """
    if not (isinstance(scheme.params, type) and is_dataclass(scheme.params)):
        raise ValueError(f"policy: the params of {scheme.name} are no parameter class")
    section = _own_section(scheme.params)
    if isinstance(given, Section):
        given = given.model_dump(mode="json")
    try:
        return section.model_validate(given)
    except ValidationError as error:
        problems = explain(error, section, {}).problems
        raise ValueError("; ".join(f"numbers.{each}" for each in problems)) from None


def own_keys(scheme: Scheme) -> list[str]:
    """The keys of the numbers that a scheme has beside those of all schemes."""
    return list(_own_section(scheme.params).model_fields)


@lru_cache
def _own_section(kind: type[SequencerParams]) -> type[Section]:
    """The section of what a parameter class adds to the numbers of all schemes."""
    own: dict[str, Any] = fields_of(kind)
    for key in fields_of(SequencerParams):
        own.pop(key, None)
    return create_model(f"Own{kind.__name__}", __base__=Section, **own)
