"""The public page: its names, its lightness, and an experiment run from Python."""

import ast
import subprocess
import sys

import pytest

import shakeout
from tests.cli.conftest import HOME, TOY, TOY_CONFIG


def test_what_a_type_checker_sees_is_what_is_imported():
    tree = ast.parse((HOME / "shakeout" / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: line.module
        for line in block.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
    assert seen == shakeout._HOMES


def test_every_name_is_there_and_a_wrong_one_is_refused():
    for name in dir(shakeout):
        assert getattr(shakeout, name) is not None
    with pytest.raises(AttributeError, match="has no name 'lod'"):
        _ = shakeout.lod


def test_importing_it_imports_nothing_heavy_and_programs_are_kept_on_disk():
    program = """
import sys
import shakeout
print(sorted({"jax", "mesa", "pydantic", "ray"} & set(sys.modules)))
shakeout.load
import jax
print(jax.config.jax_compilation_cache_dir)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(HOME), "XDG_CACHE_HOME": "/somewhere"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == ["[]", "/somewhere/shakeout/jax"], done.stderr


def test_the_command_keeps_programs_on_disk_too():
    program = """
import sys
sys.argv = ["shakeout", "scenarios"]
from shakeout.__main__ import main
try:
    main()
finally:
    import jax
    print(jax.config.jax_compilation_cache_dir)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(HOME), "XDG_CACHE_HOME": "/somewhere"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "/somewhere/shakeout/jax", done.stderr


def test_an_experiment_runs_from_a_mapping(tmp_path, monkeypatch):
    monkeypatch.setenv("SHAKEOUT_ENGINE", TOY)
    overrides = {"runs": 2, "venue.taker_fee": 0.001}
    results = shakeout.run(TOY_CONFIG, tmp_path / "out", overrides, workers=0)
    assert results.is_sound
    assert results.runs[["point", "run"]].values.tolist() == [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
    ]
    assert results.manifest["config"]["venue"]["taker_fee"] == 0.001
    with pytest.raises(shakeout.ConfigError, match="holds an experiment already"):
        shakeout.run(TOY_CONFIG, tmp_path / "out", workers=0)


def test_an_unsound_experiment_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("SHAKEOUT_ENGINE", TOY)
    document = {**TOY_CONFIG, "checks": ["liquidations < 0"]}
    assert not shakeout.run(document, tmp_path / "out", workers=0).is_sound


def test_a_mapping_is_not_changed_and_overrides_are_checked():
    document = {"runs": 3}
    assert shakeout.load(document, {"world.blocks": 9}).config.world.length == 9
    assert document == {"runs": 3}
    with pytest.raises(shakeout.ConfigError, match=r"world\.blocks = 0"):
        shakeout.load(document, {"world.blocks": 0})


class Idle(shakeout.Guest):
    def step(self):
        pass


def test_a_model_refuses_a_point_that_is_not_there_and_guests_without_money():
    with pytest.raises(shakeout.ConfigError, match="points 0 to 1"):
        shakeout.LabModel.from_config("smoke", point=2)
    with pytest.raises(shakeout.ConfigError, match="guests need some"):
        shakeout.LabModel.from_config("smoke", guests=[Idle], collateral=0)
