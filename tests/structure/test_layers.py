"""Imports point down only, between the packages and between the market's floors."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
CONTRACT = "imports point down only"


def lint(folder):
    """What import-linter says of the packages in a folder."""
    program = (
        "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_imports_point_down_only():
    code, output = lint(HOME)
    assert code == 0, output
    assert f"{CONTRACT} KEPT" in output


def test_an_import_that_points_up_is_found(tmp_path):
    settings = tomllib.loads((HOME / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(c for c in contracts if c["name"] == CONTRACT)["layers"]
    for name in layers:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / "market" / "__init__.py").write_text("import agents\n")
    (tmp_path / "pyproject.toml").write_text(
        f"[tool.importlinter]\nroot_packages = {layers}\n"
        "[[tool.importlinter.contracts]]\n"
        f'name = "{CONTRACT}"\ntype = "layers"\nlayers = {layers}\n'
    )
    code, output = lint(tmp_path)
    assert code == 1
    assert f"{CONTRACT} BROKEN" in output
