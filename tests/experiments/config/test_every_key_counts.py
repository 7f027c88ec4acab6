"""Every key of a config has an effect: on the world, or on what is named here.

Rich documents give every key of the JSON Schema a value. Each value in turn is
replaced by another valid one, and the world that is built must differ in its spec or
in its parameters. A key that nothing reads would be found here.
"""

import copy
from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest

from experiments import config
from experiments.build.worlds import build
from experiments.config.errors import ConfigError
from experiments.config.plugins import FAULT, SCHEME, look_in
from market.prices import FIGURES
from market.venues import TIERS, VENUES

#: Keys that no world knows, and what they are for. Each is looked at below.
NOT_OF_THE_WORLD = {
    "name": "names the results",
    "seed": "is given to the run beside the world",
    "runs": "how many seeds",
    "sweep": "makes several worlds of one config",
    "metrics": "which columns are kept",
    "checks": "what is asked of the results",
    "record.runs": "which runs keep their transactions",
    "report.headline": "how results are told",
    "plan.lanes": "how, never what",
    "plan.workers": "how, never what",
    "plan.most_points": "how, never what",
    "plan.most_runs": "how, never what",
    "rollup.prove": "what is done with finished runs",
    "rollup.prove_runs": "what is done with finished runs",
    "rollup.prove_every": "what is done with finished runs",
    "prices.gaps": "how a price file is read (tests/experiments/build)",
    "prices.columns": "how a price file is read (tests/experiments/build)",
    "rollup.proving_law": "a file that stands for `proving` and `proving_tx`",
}
EXAMPLES = Path(__file__).parents[3] / "examples"
#: Its other values have other keys beside them; a test of its own looks at it.
_MODEL = "prices.model"

_PEOPLE = {
    "market_makers": {"count": 3},
    "leveraged_traders": {"count": 4},
    "searchers": {"count": 2},
    "liquidators": {"count": 2},
}
_COMMON = {
    "world": {"blocks": 1500, "series_every": 7},
    "populations": _PEOPLE,
    "venue": {
        "markets": ["BTC", "ETH", "SOL"],
        "max_open_orders": 4,
        "max_market_orders": 40,
        "circuit_breaker": {"move": 0.1},
    },
    "oracle": {"max_age": "2m", "reporters": 5, "quorum": 2},
}
_DYDX = {
    "venue": {
        "preset": "dydx_v4",
        "isolated": ["SOL"],
        "isolated_insurance": 5_000,
        "tiers": {"ETH": "mid_cap"},
    },
    "prices": {
        "model": "jump_diffusion",
        "start": {"BTC": 90_000},
        "followers": {"ETH": {"beta": 1.2, "correlation": 0.8}},
        "shocks": [{"at": "3m", "size": -0.1}],
    },
    "faults": [
        {
            "kind": "censorship",
            "start": "2m",
            "duration": "1m",
            "severity": 0.5,
            "targets": ["liquidators"],
            "transactions": ["cancel"],
            "chance": 0.5,
            "jitter": "20s",
            "spread": 0.3,
        },
        {
            "kind": "oracle_manipulation",
            "start": "4m",
            "duration": "1m",
            "bias": 0.02,
            "markets": ["ETH"],
        },
        {"kind": "da_outage", "start": "5m", "duration": "1m"},
    ],
}
_STARKEX = {
    "venue": {"preset": "starkex"},
    "prices": {"model": "crash", "figures": "2020-03-12"},
    "sequencer": {
        "policy": "composed",
        "composed": {
            "hold": {"take": "5ms"},
            "every": "90s",
            "classes": ["cancel", "take"],
        },
    },
}
_HYPERLIQUID = {
    "world": {"blocks": None, "duration": "25m"},
    "venue": {"preset": "hyperliquid", "tiers": {}},
    "populations": {"vault": {"count": 1}},
    "prices": {
        "model": "crash",
        "custom": {
            "depth": 0.2,
            "minutes": 9,
            "worst": 0.06,
            "widest": 0.1,
            "deviation": 0.02,
            "rebound": 0.3,
        },
    },
}


def laid(base, changes):
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = laid(result[key], value) if both else value
    return result


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """Complete documents that together have every key of the schema."""
    folder = tmp_path_factory.mktemp("prices")
    for number, name in enumerate(("klines.csv", "others.csv")):
        (folder / name).write_text(klines(40, 50_000 + 100 * number))
    file = str(folder / "klines.csv")
    look_in(EXAMPLES)
    replay = {
        "prices": {"model": "replay", "file": file, "start_minute": 3},
        "sequencer": {"policy": "express_lane:EXPRESS_LANE"},
    }
    bases = [_DYDX, _STARKEX, _HYPERLIQUID, replay]
    return [complete(laid(_COMMON, base)) for base in bases]


def klines(minutes, first):
    head = "open_time_ms,open_time_utc,open,high,low,close,volume_base,n_trades,"
    rows = [head + "taker_buy_base"]
    for number in range(minutes):
        price = first + 10 * number
        time = 1_600_000_020_000 + number * 60_000
        rows.append(f"{time},x,{price},{price + 20},{price - 20},{price + 5},1,1,1")
    return "\n".join(rows) + "\n"


def complete(document):
    """The document with every default written out, those that say nothing too."""
    return config.expand(document).config.model_dump(mode="json")


def leaves(value, path=()):
    """The paths of a document under which no further keys stand."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, part in enumerate(value):
            yield from leaves(part, (*path, index))
    else:
        yield path


def value_at(document, path):
    for part in path:
        document = document[part]
    return document


def changed(document, path, value):
    result = copy.deepcopy(document)
    value_at(result, path[:-1])[path[-1]] = value
    return result


_WORDS = [*SCHEME.ours, *FAULT.ours, *FIGURES, *TIERS, *VENUES]


@cache
def words():
    """Every word that the schema allows anywhere, and every registered name."""
    found = list(_WORDS)

    def walk(node):
        if isinstance(node, dict):
            found.extend(node.get("enum", []))
            found.extend([node["const"]] if "const" in node else [])
            for part in node.values():
                walk(part)
        elif isinstance(node, list):
            for part in node:
                walk(part)

    walk(config.json_schema())
    return tuple(dict.fromkeys(word for word in found if isinstance(word, str)))


def others(value):
    """Values that may be valid in place of one; most are not."""
    numbers = [0.5, 0.05, 1, 2, 7, 30, 0.0001, 0, 1.5, 1000]
    times = ["7s", "90s", "3m", "30m", "1h", "5ms", "2h"]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value * 2, value / 2, value * 0.9, value + 1, value - 1, *numbers]
    if isinstance(value, str):
        return [*times, *words(), value.replace("klines", "others")]
    if isinstance(value, list):
        rest = [value[1:]] if value else []
        return [*rest, [0], ["ETH"], [*value, "AVAX"], *([word] for word in words())]
    if isinstance(value, dict):
        return [{"ETH": 1234}, {"ETH": "mid_cap"}, {"ETH": {"beta": 2}}]
    return [*numbers, *times, *words()]


def world_of(document):
    """What a run is given: shapes and numbers."""
    (world,) = build(config.expand(document).configs)
    leaves, structure = jax.tree.flatten(world.params)
    return world.spec, structure, [np.asarray(leaf) for leaf in leaves]


def differ(one, other):
    if one[:2] != other[:2]:
        return True
    pairs = zip(one[2], other[2], strict=True)
    return any(a.shape != b.shape or bool((a != b).any()) for a, b in pairs)


def has_effect(document, path):
    """Whether some other valid value of the key makes another world.

    None where no other value is valid, such as a number that the preset has not.
    """
    base, tried = world_of(document), False
    value = value_at(document, path)
    for other in others(value):
        if other == value:
            continue
        try:
            world = world_of(changed(document, path, other))
        except ConfigError:
            continue
        tried = True
        if differ(base, world):
            return True
    return False if tried else None


def plain(path):
    """The key without the numbers of list entries and the names of markets."""
    return ".".join("*" if isinstance(part, int) else str(part) for part in path)


def test_every_key_changes_the_world(documents):
    effects: dict[str, set] = {}
    for document in documents:
        for path in leaves(document):
            key = plain(path)
            if key in (*NOT_OF_THE_WORLD, _MODEL) or True in effects.get(key, ()):
                continue
            effects.setdefault(key, set()).add(has_effect(document, path))
    idle = sorted(
        key
        for key, found in effects.items()
        # What is empty in one document has keys of its own in another.
        if True not in found and not any(k.startswith(f"{key}.") for k in effects)
    )
    assert not idle, ", ".join(idle)


def test_the_price_model_changes_the_world():
    crash, diffusion = ({"prices": {"model": m}} for m in ("crash", "jump_diffusion"))
    assert differ(world_of(crash), world_of(diffusion))


def test_what_is_not_of_the_world_leaves_it_alone(documents):
    """And says so only of keys that exist, which the identity holds or the plan."""
    document = documents[0]
    base = world_of(document)
    for key, other in {
        "name": "another",
        "seed": 5,
        "runs": 3,
        "metrics": ["bad_debt"],
        "checks": ["bad_debt < 1"],
        "record.runs": [1],
        "report.headline": "bad_debt",
        "plan.lanes": 3,
        "plan.workers": 1,
        "rollup.prove": True,
        "rollup.prove_runs": [1],
        "rollup.prove_every": 2,
    }.items():
        path = tuple(key.split("."))
        again = changed(document, path, other)
        assert value_at(document, path) != other
        assert not differ(base, world_of(again)), key
        same = config.expand(again).hash == config.expand(document).hash
        assert same == key.startswith(("plan.", "checks", "report.")), key


def test_the_documents_have_every_key_of_the_schema(documents):
    there = {plain(path) for document in documents for path in leaves(document)}
    missing = [
        key
        for key in sorted(schema_keys())
        if key not in there and not any(t.startswith(f"{key}.") for t in there)
    ]
    assert not missing, ", ".join(missing)


def schema_keys():
    schema, found = config.json_schema(), set()

    def walk(node, path):
        if "$ref" in node:
            walk(schema["$defs"][node["$ref"].rpartition("/")[2]], path)
            return
        for part in [*node.get("anyOf", ()), *node.get("oneOf", ())]:
            walk(part, path)
        for key, part in node.get("properties", {}).items():
            walk(part, (*path, key))
        if isinstance(node.get("items"), dict) and "$ref" in node["items"]:
            walk(node["items"], (*path, "*"))
        elif "properties" not in node and "type" in node and node["type"] != "null":
            found.add(".".join(path))

    walk(schema, ())
    return found
