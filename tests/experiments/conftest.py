import sys

import pytest
from rich.console import Console

from experiments import conclusion, config, runner
from experiments.config import plugins
from experiments.preparation import prepare
from tests.experiments.plugin_modules import Lab

TOY = "tests.experiments.toy_engine"


@pytest.fixture
def document():
    """Two programs of two points each, three runs a point."""
    return {
        "name": "toy",
        "seed": 5,
        "runs": 3,
        "world": {"blocks": 12, "series_every": 4},
        "sweep": {
            "sequencer.policy": ["fcfs", "priority_fee"],
            "venue.taker_fee": [0.0001, 0.0005],
        },
        "checks": ["conservation_error == 0"],
    }


@pytest.fixture
def toy():
    """Runs a document on the toy engine into a folder."""

    def run(document, out, **options):
        prepared = prepare(config.expand(document), TOY)
        options.setdefault("workers", 0)
        chosen = runner.Options(out, engine=TOY, **options)
        return runner.run(prepared, chosen, Console(quiet=True))

    return run


@pytest.fixture(autouse=True)
def _no_report(monkeypatch):
    """Reports have their own tests."""
    monkeypatch.setattr(conclusion, "write_report", lambda path, console: None)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """The current folder is a user's, and the only one with plug-ins."""
    monkeypatch.setattr(plugins, "_FOLDERS", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    return Lab(tmp_path)
