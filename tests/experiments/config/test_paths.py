"""A file is looked for beside whoever names it, and read from any folder after that."""

import json

import pytest
import yaml

from experiments import config, manifests
from experiments.build.worlds import build
from experiments.config.errors import ConfigError

START = 1_735_689_600


def klines(price):
    return "".join(
        f"{START + 60 * n},{price},{price + 1},{price - 1},{price},1,1\n"
        for n in range(3)
    )


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Price files beside a config, and in the folder where one works."""
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder in (beside, here):
        folder.mkdir()
    (beside / "a.csv").write_text(klines(100))
    (beside / "b.csv").write_text(klines(200))
    (here / "c.csv").write_text(klines(300))
    monkeypatch.chdir(here)
    return beside, here


def write(folder, document):
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({"world": {"blocks": 120}, **document}))
    return path


REPLAY = {"prices": {"model": "replay", "file": "a.csv"}}
#: What names files, and which each point reads.
NAMED = {
    "the section": ({}, ["a"]),
    "an axis of the key": ({"sweep": {"prices.file": ["a.csv", "b.csv"]}}, ["a", "b"]),
    "an axis of the section": (
        {
            "sweep": {
                "prices": [
                    {"model": "replay", "file": "b.csv"},
                    {"model": "crash"},
                ]
            }
        },
        ["b", None],
    ),
    "variants": (
        {
            "sweep": {
                "day": [
                    {"name": "calm", "set": {"prices.file": "a.csv"}},
                    {"name": "wild", "set": {"prices": REPLAY["prices"]}},
                    {"name": "other", "set": {"prices.file": "b.csv"}},
                ][::2]
            }
        },
        ["a", "b"],
    ),
}


def read_by(experiment):
    files = [getattr(each.prices, "file", None) for each in experiment.configs]
    return [file and file.rpartition("/")[2][0] for file in files]


@pytest.mark.parametrize("name", NAMED)
def test_every_way_to_name_a_file_finds_it_beside_the_config(folders, name):
    changes, expected = NAMED[name]
    experiment = config.load(write(folders[0], {**REPLAY, **changes}))
    assert read_by(experiment) == expected


@pytest.mark.parametrize("name", NAMED)
def test_a_manifest_is_read_again_from_any_folder(folders, name, monkeypatch):
    changes, expected = NAMED[name]
    experiment = config.load(write(folders[0], {**REPLAY, **changes}))
    kept = json.loads(json.dumps(experiment.as_document()))
    monkeypatch.chdir("/")
    again = manifests.experiment_of({"config": kept, "config_hash": experiment.hash})
    assert read_by(again) == expected
    assert again.axes == experiment.axes
    assert [p.label for p in again.points] == [p.label for p in experiment.points]


def test_a_swept_file_is_called_as_it_was_written(folders):
    document = {**REPLAY, "sweep": {"prices.file": ["a.csv", "b.csv"]}}
    points = config.load(write(folders[0], document)).points
    assert [point.axes for point in points] == [
        {"prices.file": "a.csv"},
        {"prices.file": "b.csv"},
    ]


@pytest.mark.parametrize(
    "override",
    [
        "prices.file=c.csv",
        "prices={model: replay, file: c.csv}",
        "sweep.prices.file=[c.csv]",
        "sweep={prices.file: [c.csv]}",
    ],
)
def test_an_override_is_looked_for_in_the_current_folder(folders, override):
    experiment = config.load(write(folders[0], REPLAY), [override])
    assert read_by(experiment) == ["c"]


def test_a_name_that_stands_in_both_places_means_the_one_beside_whoever_gave_it(
    folders,
):
    beside, here = folders
    (here / "a.csv").write_text(klines(900))
    path = write(beside, REPLAY)
    assert config.load(path).config.prices.file == str(beside / "a.csv")
    given = config.load(path, {"prices.file": "a.csv"})
    assert given.config.prices.file == str(here / "a.csv")


def test_where_it_stands_is_no_part_of_an_experiment_and_what_it_holds_is(folders):
    beside, here = folders
    first = config.load(write(beside, REPLAY)).hash
    (here / "d.csv").write_text(klines(100))
    assert config.load(write(beside, REPLAY), ["prices.file=d.csv"]).hash == first
    (here / "d.csv").write_text(klines(101))
    assert config.load(write(beside, REPLAY), ["prices.file=d.csv"]).hash != first


def test_a_file_that_changes_between_check_and_use_is_refused(folders):
    path = write(folders[0], REPLAY)
    experiment = config.load(path)
    (folders[0] / "a.csv").write_text(klines(500))
    with pytest.raises(ConfigError, match=r"a\.csv: has changed since it was checked"):
        build(experiment.configs)


@pytest.mark.parametrize("name", ["gone.csv", ".", "pipe", "a\0.csv", "x" * 300])
def test_what_is_no_file_is_refused_with_its_full_name(folders, name):
    import os

    os.mkfifo(folders[0] / "pipe")
    document = {"prices": {"model": "replay", "file": name}}
    with pytest.raises(ConfigError, match=r"file: .*/beside|is no name of a file"):
        config.load(write(folders[0], document))
