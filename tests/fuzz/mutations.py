"""Ways in which a file is damaged, or written by somebody who knows no better."""

import json
import random
import re
from typing import Any

#: What is put in the place of a word or a number.
STRANGE = [
    "",
    "0",
    "-1",
    "1e999999",
    "-1e-999999",
    "9" * 5_000,
    "9223372036854775808",
    "NaN",
    "inf",
    "²",
    "٣",
    "null",
    "true",
    "~",
    "[]",
    "{}",
    "[" * 3_000,
    "{a: " * 300,
    "&a [*a]",
    "*a",
    "!!python/object:os.system",
    "\x00",
    "\ufeff",
    '"\\ud800"',
    "x" * 5_000,
    "../../..",
    "/dev/zero",
    "json:loads",
    "os:system",
    "1+" * 5_000 + "1",
    "1s",
    "-5m",
    "150%",
    "1_000",
    "😀",
]
#: What is put in the place of a value of JSON.
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    1 << 63,
    -(1 << 64),
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    0.5,
    "",
    "x",
    "²",
    "\ud800",
    "\x00",
    "x" * 3_000,
    [],
    {},
    [None],
    [[[[[[]]]]]],
    {"": 0},
    {"name": "a", "set": {}},
]
_WORD = re.compile(rb"[A-Za-z0-9_.+-]+")


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The bytes after one to four injuries."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        data = rng.choice(_INJURIES)(data, rng)
    return data


def misspelt(data: bytes, rng: random.Random) -> bytes:
    """A text in which some words are others."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        words = list(_WORD.finditer(data))
        if not words:
            return data
        word = rng.choice(words)
        other = (
            rng.choice(words)[0]
            if rng.random() < 0.3
            else rng.choice(STRANGE).encode("utf-8", "surrogatepass")
        )
        data = data[: word.start()] + other + data[word.end() :]
    return data


def retyped(value: Any, rng: random.Random) -> Any:
    """A value of JSON in which one part, anywhere, is of another kind or gone."""
    places = list(_places(value, ()))
    path = rng.choice(places)
    change = rng.random()
    if not path:
        return rng.choice(VALUES) if change < 0.2 else value
    holder = value
    for part in path[:-1]:
        holder = holder[part]
    if change < 0.15:
        del holder[path[-1]]
    elif change < 0.25 and isinstance(holder, dict):
        holder[rng.choice(["x", "", "name", "²", 5])] = rng.choice(VALUES)
    elif change < 0.35:
        holder[path[-1]] = [holder[path[-1]]] * rng.choice([1, 2, 500])
    elif change < 0.5 and len(places) > 1:
        holder[path[-1]] = _copy(_at(value, rng.choice(places)))
    else:
        holder[path[-1]] = _copy(rng.choice(VALUES))
    return value


def as_text(value: Any) -> bytes:
    """JSON of a value, whatever stands in it."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value)) if isinstance(value, dict | list) else value


def _places(value: Any, path: tuple):
    yield path
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, part in inner:
        yield from _places(part, (*path, key))


def _at(value: Any, path: tuple) -> Any:
    for part in path:
        value = value[part]
    return value


def _flip(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return b"\xff"
    changed = bytearray(data)
    for _ in range(rng.choice([1, 2, 8])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _drop(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.choice([1, 4, 100]) :]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    piece = data[start : start + rng.choice([1, 16, 400])]
    return data[:start] + piece * rng.choice([2, 3, 50]) + data[start:]


def _insert(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + rng.randbytes(rng.choice([1, 4, 64])) + data[start:]


def _zero(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    length = min(rng.choice([4, 64, 4_096]), len(data) - start)
    return data[:start] + bytes(length) + data[start + length :]


_INJURIES = [_flip, _flip, _cut, _drop, _repeat, _insert, _zero]
