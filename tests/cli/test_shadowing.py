"""A user's own `agents.py`, or somebody's `market`: named wherever the clash shows."""

import subprocess
import sys

import pytest

from experiments.config.errors import ConfigError
from experiments.fleet.ray_pool import RayPool
from experiments.fleet.worker import Worker
from shakeout import namesakes
from tests.cli.conftest import HOME, command

NAMES = ["agents", "market", "rollup", "experiments"]


@pytest.fixture
def script(tmp_path):
    """Runs a script of a user's in a folder of their own; what it says at the end."""

    def run(text, name="study.py"):
        # As in an installation, the lab comes after the script's own folder.
        after = f"import sys; sys.path.insert(1, {str(HOME)!r})\n"
        (tmp_path / name).write_text(after + text)
        done = subprocess.run(
            [sys.executable, tmp_path / name],
            cwd=tmp_path,
            env={},
            capture_output=True,
            text=True,
            timeout=100,
        )
        return done.returncode, done.stderr

    return run


def test_the_packages_of_this_checkout_are_the_labs_own():
    namesakes.check_packages()
    namesakes.check_folder(HOME)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_beside_a_script_is_named_with_what_to_do(tmp_path, script, name):
    (tmp_path / f"{name}.py").write_text("")
    code, errors = script("import shakeout\nshakeout.load('smoke')\n")
    assert code == 1
    last = errors.strip().splitlines()[-1]
    assert f"ShadowedError: {tmp_path / name}.py hides the lab's own" in last
    assert f"rename it, for example to my_{name}.py" in last


def test_a_module_that_was_imported_already_is_named(tmp_path, script):
    (tmp_path / "agents.py").write_text("class Dipper: pass\n")
    code, errors = script("import agents\nfrom shakeout import LabModel\n")
    assert code == 1
    assert f"{tmp_path / 'agents.py'} hides the lab's own package 'agents'" in errors


def test_a_script_that_is_itself_the_namesake_is_named(tmp_path, script):
    code, errors = script("from shakeout import LabModel\n", name="market.py")
    assert code == 1
    assert f"{tmp_path / 'market.py'} hides the lab's own package 'market'" in errors


def test_a_folder_without_namesakes_is_in_nobodys_way(script):
    program = "import shakeout\nprint(shakeout.load('smoke').config.name)\n"
    code, errors = script(program)
    assert code == 0, errors


@pytest.mark.parametrize("name", ["agents.py", "market/__init__.py"])
def test_the_command_says_it_in_one_line(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    process = command("scenarios", PYTHONPATH=f"{tmp_path}:{HOME}")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    (line,) = errors.splitlines()
    hidden = path if path.suffix == ".py" and path.stem != "__init__" else path.parent
    assert line.startswith(f"shakeout: {hidden} hides the lab's own package")


def test_python_m_shakeout_in_such_a_folder_says_the_same(tmp_path):
    (tmp_path / "rollup.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "shakeout", "scenarios"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(HOME)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert f"{tmp_path / 'rollup.py'} hides the lab's own" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_distribution_asks_for_an_environment_of_ones_own(
    tmp_path, monkeypatch
):
    package = tmp_path / "site-packages" / "market"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(namesakes, "_place_of", lambda name: package)
    with pytest.raises(namesakes.ShadowedError, match="an environment of its own"):
        namesakes.check_packages()


def test_another_copy_of_the_lab_is_called_that(tmp_path, monkeypatch):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "world.py").write_text("")
    monkeypatch.setattr(namesakes, "PACKAGES", ("agents",))
    monkeypatch.setattr(namesakes, "_place_of", lambda name: tmp_path / name)
    with pytest.raises(namesakes.ShadowedError, match="another copy of the lab"):
        namesakes.check_packages()


def test_an_overwritten_package_is_found_by_what_it_lacks(tmp_path, monkeypatch):
    for name in NAMES:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(namesakes, "HOME", tmp_path)
    with pytest.raises(namesakes.ShadowedError, match="has overwritten it"):
        namesakes.check_packages()


def test_workers_are_not_started_in_such_a_folder(tmp_path, monkeypatch):
    """Ray puts the current folder first in the path of its workers."""
    (tmp_path / "agents.py").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"agents\.py hides the lab's own"):
        RayPool(1, 1)


def test_a_worker_says_it_too(tmp_path, monkeypatch):
    theirs = tmp_path / "agents.py"
    monkeypatch.setattr(namesakes, "_place_of", lambda name: theirs)
    with pytest.raises(namesakes.ShadowedError, match=r"agents\.py hides"):
        Worker().ready()
