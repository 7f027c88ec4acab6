"""An experiment that the machine cannot hold is refused before it starts."""

import jax
import pytest

from agents import run as runs
from experiments import config
from experiments.build import footprint, worlds
from experiments.config.errors import ConfigError
from experiments.fleet import room
from experiments.preparation import prepare
from tests.experiments.conftest import TOY


def test_a_million_accounts_are_refused_where_they_do_not_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "free_memory", lambda: 8_000_000_000)
    people = {"leveraged_traders": {"count": 1_000_000, "collateral": 10}}
    experiment = config.load({"populations": people})
    problem = (
        r"needs about [\d.,]+ GB of memory, 8\.0 GB are free: .* a run "
        r"\(1,000,\d+ accounts, 1,800 blocks\), 16 runs at a time \(plan\.lanes\)"
    )
    with pytest.raises(ConfigError, match=problem):
        room.check_room(prepare(experiment), tmp_path, 1, False)
    assert not list(tmp_path.iterdir())


def test_results_that_no_disk_holds_are_refused(document, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_free_disk", lambda out: 100)
    prepared = prepare(config.expand(document), TOY)
    with pytest.raises(
        ConfigError, match=r"tables of 12 runs need about .* free there"
    ):
        room.check_room(prepared, tmp_path / "new", 0, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"populations.leveraged_traders.count": 60_000, "venue.slots": 8},
        {
            "venue.markets": ["BTC"],
            "venue.book_capacity": 8192,
            "sequencer.queue": 4096,
        },
    ],
)
def test_the_reckoned_state_is_that_of_a_run_within_a_third(changes):
    people = {"populations.leveraged_traders.collateral": 10}
    experiment = config.load("smoke", {"sweep": {}, **people, **changes})
    world = worlds.build(experiment.configs)[0]
    seed, run = jax.numpy.int64(1), jax.numpy.int64(0)
    state = runs.start.eval_shape(seed, run, world.params, spec=world.spec)
    held = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    reckoned = 8 * footprint.state_numbers(world.spec)
    assert held * 2 / 3 < reckoned < held * 4 / 3
