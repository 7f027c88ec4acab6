"""The command refuses to run on somebody else's `agents` or `market`."""

import pytest

from experiments.fleet import install_check
from tests.cli.conftest import command


def test_the_packages_of_this_checkout_are_the_labs_own():
    install_check.check_packages()


@pytest.mark.parametrize("name", ["agents", "market"])
def test_a_namesake_in_the_way_is_refused_with_what_to_do(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    process = command("scenarios", PYTHONPATH=str(tmp_path))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"{name}: {tmp_path / name}" in errors
    assert "environment of its own" in errors
