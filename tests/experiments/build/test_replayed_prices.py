"""What a config says of its price file reaches whoever reads it."""

import numpy as np
import pytest

from experiments import config
from experiments.build.worlds import build
from experiments.config.errors import ConfigError

START = 1_735_689_600


@pytest.fixture
def file(tmp_path):
    """Minutes 0, 1 and 3, in an order of columns of its own."""
    path = tmp_path / "p.csv"
    rows = [
        f"{104 + n},{100 + n},{102 + n},{101 + n},{START + 60 * n}" for n in range(5)
    ]
    path.write_text("\n".join(rows[:2] + rows[3:]) + "\n")
    return path


def bars(file, **keys):
    prices = {"model": "replay", "file": str(file), **keys}
    document = {"world": {"blocks": 240}, "venue": {"markets": ["BTC"]}}
    (world,) = build(config.load({**document, "prices": prices}).configs)
    return np.asarray(world.params.prices.model.bars).tolist()


COLUMNS = ["high", "low", "open", "close", "time"]


def test_columns_and_gaps_are_read_as_told(file):
    held = bars(file, columns=COLUMNS, gaps="hold")
    drawn = bars(file, columns=COLUMNS, gaps="interpolate")
    assert len(held) == len(drawn) == 4
    assert held[:2] == drawn[:2]
    assert held[2] == [held[1][3]] * 4
    assert drawn[2][3] > held[2][3]


def test_a_gap_is_refused_where_nothing_is_said_of_it(file):
    with pytest.raises(ConfigError, match=r"p\.csv, line 3: a gap .*prices\.gaps"):
        bars(file, columns=COLUMNS)


def test_a_gap_outside_of_the_run_is_none(file):
    document = {"world": {"blocks": 120}, "venue": {"markets": ["BTC"]}}
    prices = {"model": "replay", "file": str(file), "columns": COLUMNS}
    assert build(config.load({**document, "prices": prices}).configs)
