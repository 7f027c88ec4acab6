import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from experiments.cli import app

TOY = "tests.experiments.toy_engine"
HOME = Path(__file__).resolve().parents[2]

TOY_CONFIG = {
    "name": "toy",
    "seed": 5,
    "runs": 3,
    "world": {"blocks": 12, "series_every": 4},
    "sweep": {"sequencer.policy": ["fcfs", "priority_fee"]},
    "checks": ["conservation_error == 0"],
}


@pytest.fixture
def shakeout():
    """Runs the command in this process, as typed."""

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def toy_config(tmp_path, monkeypatch):
    """A config that the toy engine runs in no time."""
    monkeypatch.setenv("SHAKEOUT_ENGINE", TOY)
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(TOY_CONFIG, sort_keys=False))
    return path


@pytest.fixture
def toy_run(shakeout, toy_config, tmp_path):
    """A finished run directory of the toy."""
    out = tmp_path / "out"
    result = shakeout("run", toy_config, "--out", out, "--workers", 0)
    assert result.exit_code == 0, result.output
    return out


def command(*arguments, **variables):
    """Starts the installed command as a user would."""
    environment = {**os.environ, "PYTHONPATH": str(HOME), **variables}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "shakeout", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """The smoke scenario, run by the real command on real worlds."""
    out = tmp_path_factory.mktemp("smoke") / "out"
    process = command("run", "smoke", "--out", out, "--workers", 0)
    output, errors = process.communicate(timeout=800)
    assert process.returncode == 0, output + errors
    return out, output, json.loads((out / "manifest.json").read_text())
