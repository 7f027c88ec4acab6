"""A manifest whose digest holds may still be no manifest: its parts are typed."""

import pytest

from experiments.config.errors import ConfigError
from experiments.results import manifest_file

SOUND = {
    "name": "toy",
    "config_hash": "0" * 64,
    "config": {},
    "axes": [],
    "points": [{"point": 0, "label": "", "axes": {}, "faults": []}],
    "runs": 2,
    "seed": 1,
    "blocks": 10,
    "series_every": 1,
    "status": "complete",
    "columns": {"bad_debt": {"unit": "USD", "better": None}},
    "series": {"equity": {"unit": "USD", "per_market": False}},
    "git": {"revision": "abc", "dirty": False},
    "agents": 3,
    "markets": ["BTC"],
    "wall_s": 1.5,
    "command": ["shakeout", "run", "toy"],
}
OTHERS = ([[]], {"a": [1]}, "text", -1, float("nan"))


def test_a_sound_manifest_is_read(tmp_path):
    manifest_file.write(tmp_path, SOUND)
    assert manifest_file.read(tmp_path).items() >= SOUND.items()


@pytest.mark.parametrize("key", SOUND)
def test_a_part_of_another_kind_is_named(key, tmp_path):
    refused = 0
    for other in OTHERS:
        manifest_file.write(tmp_path, {**SOUND, key: other})
        try:
            manifest_file.read(tmp_path)
        except ConfigError as error:
            assert manifest_file.NAME in str(error) and key in str(error)
            refused += 1
    assert refused >= 3


def test_a_description_of_another_kind_is_named(tmp_path):
    manifest_file.write(tmp_path, {**SOUND, "columns": {"bad_debt": {"label": [7]}}})
    with pytest.raises(ConfigError, match=r"columns\.bad_debt\.label"):
        manifest_file.read(tmp_path)


@pytest.mark.parametrize("checks", [[["a == 0"]], [7], {"a": 1}])
def test_checks_of_another_kind_are_named(checks, tmp_path):
    manifest_file.write(tmp_path, {**SOUND, "config": {"checks": checks}})
    with pytest.raises(ConfigError, match=r"config\.checks"):
        manifest_file.read(tmp_path)
