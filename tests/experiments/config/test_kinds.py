"""An override of a section's kind leaves the numbers of the old kind behind."""

import pytest

from experiments import config
from experiments.config.errors import ConfigError

DOCUMENT = {
    "prices": {"model": "crash", "calm": 0.001, "start": {"BTC": 90_000}},
    "sequencer": {
        "policy": "composed",
        "composed": {"hold": {"take": "5ms"}},
        "block_txs": 99,
    },
    "venue": {
        "preset": "hyperliquid",
        "liquidation": {"cooldown": "10s", "min_notional": 5},
        "taker_fee": 0.001,
    },
    "populations": {
        "vault": {"count": 1},
        "whales": {"family": "leveraged_traders", "count": 2, "max_leverage": 9},
    },
    "faults": [
        {
            "kind": "oracle_manipulation",
            "start": "1m",
            "duration": "1m",
            "bias": 0.1,
            "markets": ["BTC"],
        }
    ],
}

#: The override, what is gone then, and what stays.
CHANGES = {
    "prices.model=jump_diffusion": (["prices.calm"], ["prices.start.BTC=90000"]),
    "sequencer.policy=priority_fee": (
        ["sequencer.composed"],
        ["sequencer.block_txs=99"],
    ),
    "venue.preset=dydx_v4": (
        ["venue.liquidation.cooldown"],
        ["venue.liquidation.min_notional=5", "venue.taker_fee=0.001"],
    ),
    "venue.preset=starkex": (
        ["venue.liquidation.cooldown", "venue.liquidation.min_notional"],
        ["venue.taker_fee=0.001"],
    ),
    "faults.0.kind=sequencer_halt": (["faults.0.bias"], ["faults.0.start=1m"]),
    "populations.whales.family=market_makers": (
        ["populations.whales.max_leverage"],
        ["populations.whales.count=2"],
    ),
}


def value_at(document, key):
    for part in key.split("."):
        document = document[int(part)] if part.isdigit() else document.get(part)
        if document is None:
            return None
    return document


@pytest.mark.parametrize("override", CHANGES)
def test_the_keys_of_the_old_kind_are_dropped_and_the_others_stay(override):
    gone, kept = CHANGES[override]
    document = config.load(DOCUMENT, [override]).as_document()
    key, _, value = override.partition("=")
    assert value_at(document, key) == value
    for each in gone:
        assert value_at(document, each) in (None, 0, []), each
    for each in kept:
        key, _, value = each.partition("=")
        assert str(value_at(document, key)) == value


@pytest.mark.parametrize("override", CHANGES)
def test_a_sweep_over_kinds_does_the_same_at_each_point(override):
    key, _, value = override.partition("=")
    old = value_at(DOCUMENT, key)
    swept = config.load({**DOCUMENT, "sweep": {key: [old, value]}})
    alone = config.load(DOCUMENT, [override])
    assert swept.configs[0] == config.load(DOCUMENT).config.model_copy(
        update={"sweep": {}}
    )
    assert swept.configs[1] == alone.configs[0]


WHALES = "populations.whales"


@pytest.mark.parametrize(
    "overrides",
    [
        ["prices.model=jump_diffusion", "prices.calm=0.002"],
        ["sequencer.policy=fcfs", "sequencer.composed={every: 1s}"],
        ["faults.0.kind=sequencer_halt", "faults.0.bias=0.2"],
        [
            "populations.whales.family=market_makers",
            "populations.whales.max_leverage=9",
        ],
    ],
)
def test_what_the_same_overrides_set_is_refused_where_it_means_nothing(overrides):
    with pytest.raises(ConfigError, match=r"calm|composed|bias|max_leverage"):
        config.load(DOCUMENT, overrides)


def test_a_key_that_neither_kind_has_is_refused_as_ever():
    prices = {**DOCUMENT["prices"], "clam": 1}
    with pytest.raises(ConfigError, match=r"unknown key .clam."):
        config.load({**DOCUMENT, "prices": prices}, ["prices.model=jump_diffusion"])
