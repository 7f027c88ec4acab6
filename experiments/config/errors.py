"""What can be wrong with a config, said so that it can be mended.

Every message names the key, the value, what is allowed and, for an unknown key, the
nearest valid one; the line of the file where that is known.
"""

import difflib
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

Path = tuple[str | int, ...]


class ConfigError(Exception):
    """A wrong config, option or input file: one problem or several.

    Attributes:
        problems: one message each.
    """

    def __init__(self, problems: str | Sequence[str]):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


def dotted(path: Path) -> str:
    """``("faults", 0, "start")`` as ``faults.0.start``."""
    return ".".join(str(part) for part in path)


def shown(value: Any) -> str:
    """A value in a message: as in the file, shortened."""
    try:
        return shortened(repr(value))
    except ValueError:  # Python writes no integer of thousands of digits
        return "a number of thousands of digits"
    except RecursionError:
        return "something nested without end"


def shortened(text: str) -> str:
    """A text in a message, no longer than a line."""
    return text if len(text) <= 80 else text[:77] + "..."


def nearest(word: Any, allowed: Iterable[str]) -> str:
    """`` (did you mean 'x'?)``, or nothing where nothing is near."""
    near = shown(word) if not isinstance(word, str) else word[:80]
    found = difflib.get_close_matches(near, list(allowed), n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""


def unknown(what: str, word: Any, allowed: Iterable[str]) -> str:
    """``unknown policy 'fcsf' (did you mean 'fcfs'?); allowed: …``."""
    names = sorted(allowed)
    listing = ", ".join(names) if names else "nothing"
    return f"unknown {what} {shown(word)}{nearest(word, names)}; allowed: {listing}"


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation may hold, unions and containers looked through."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = get_origin(annotation)
    if origin is Annotated:
        return models_of(get_args(annotation)[0])
    if origin in (Union, types.UnionType, list, tuple, dict):
        return [model for part in get_args(annotation) for model in models_of(part)]
    return []


def _tag_of(model: type[BaseModel], name: str) -> bool:
    """Whether ``name`` is what a discriminator of a union calls this model."""
    return any(name in get_args(f.annotation) for f in model.model_fields.values())


def locate(
    root: type[BaseModel], location: Sequence[str | int]
) -> tuple[Path, type[BaseModel] | None]:
    """The path in the file of a pydantic error, and the model that holds its last key.

    Pydantic puts the tag of a discriminated union into the location; the file has no
    such key, so it is left out.
    """
    path: list[str | int] = []
    candidates = [root]
    holder: type[BaseModel] | None = root
    for part in location:
        tagged = [
            m for m in candidates if len(candidates) > 1 and _tag_of(m, str(part))
        ]
        if tagged:
            candidates = tagged
            continue
        holder = candidates[0] if len(candidates) == 1 else None
        path.append(part)
        fields = [m.model_fields[part] for m in candidates if part in m.model_fields]
        if fields:
            candidates = [m for f in fields for m in models_of(f.annotation)]
    return tuple(path), holder


_TYPES = {
    "int_type": "must be a whole number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
}
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "greater_than": ("greater than", "gt"),
    "less_than": ("less than", "lt"),
}


def reason(error: dict, key: str, holder: type[BaseModel] | None) -> str:
    """What is wrong and what is allowed, for one pydantic error."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        fields = holder.model_fields if holder else {}
        return unknown("key", key, fields)
    if kind in _TYPES:
        return _TYPES[kind]
    if kind in _LIMITS:
        word, bound = _LIMITS[kind]
        return f"must be {word} {context[bound]}"
    if kind == "literal_error":
        allowed = context["expected"].replace(" or ", ", ")
        names = [name.strip(" '") for name in allowed.split(",")]
        return f"must be one of {', '.join(names)}{nearest(error['input'], names)}"
    if kind == "union_tag_invalid":
        names = [name.strip(" '") for name in context["expected_tags"].split(",")]
        tag = context["discriminator"].strip("'")
        return unknown(tag, context["tag"], names)
    if kind == "union_tag_not_found":
        return f"needs the key {context['discriminator']}"
    if kind == "missing":
        return "is missing"
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}"
    return error["msg"].removeprefix("Value error, ")


def explain(
    error: ValidationError, root: type[BaseModel], origins: Mapping[Path, str]
) -> ConfigError:
    """A pydantic error in the words of this lab, with the lines of the file.

    Args:
        error: what pydantic found.
        root: the model that was validated.
        origins: where each path was written: a file and line, or an option.
    """
    problems = []
    for item in error.errors():
        path, holder = locate(root, item["loc"])
        told = reason(dict(item), str(path[-1]) if path else "", holder)
        # A whole section is not repeated in a message about one of its keys.
        scalar = not isinstance(item["input"], dict | list | BaseModel)
        value = f" = {shown(item['input'])}" if scalar else ""
        if item["type"] == "missing":
            value = ""
        key = f"{shortened(dotted(path))}{value}: " if path else ""
        problems.append(f"{place(path, origins)}{key}{told}")
    return ConfigError(problems)


def place(path: Path, origins: Mapping[Path, str]) -> str:
    """``crash.yaml:12: `` of the path, or of what holds it; nothing if unknown."""
    for length in range(len(path), -1, -1):
        if path[:length] in origins:
            return f"{origins[path[:length]]}: "
    return ""
