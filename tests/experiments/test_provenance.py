"""The lab's own sources are named, and no repository that merely lies around them."""

import json
import subprocess

import pytest

from experiments import provenance


def write(folder, names=("shakeout/__main__.py", "market/a.py")):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x = 1\n")


def git(folder, *arguments):
    words = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run([*words, *arguments], check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    write(folder)
    git(tmp_path, "init", "-q", "checkout")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


def test_a_checkout_of_the_lab_is_named_by_its_revision(checkout):
    revision = git(checkout, "rev-parse", "HEAD")
    clean = {"revision": revision, "dirty": False}
    assert provenance.git_revision(checkout) == clean
    (checkout / "notes.txt").write_text("beside the packages")
    assert provenance.git_revision(checkout) == clean
    (checkout / "market" / "new.py").write_text("y = 2\n")
    assert provenance.git_revision(checkout) == {**clean, "dirty": True}


def test_a_repository_around_an_environment_is_not_the_labs(checkout, monkeypatch):
    inside = checkout / ".venv" / "site-packages"
    write(inside)
    assert provenance.git_revision(inside) is None
    monkeypatch.setenv("GIT_DIR", str(checkout / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(checkout))
    assert provenance.git_revision(inside) is None


def test_the_digest_changes_with_any_source_and_with_nothing_else(tmp_path):
    def digest():
        provenance.source_digest.cache_clear()
        return provenance.source_digest(tmp_path)

    write(tmp_path)
    before = digest()
    write(tmp_path, ["market/__pycache__/a.cpython-311.pyc", "tests/test_a.py"])
    assert digest() == before
    (tmp_path / "market" / "a.py").write_text("x = 2\n")
    changed = digest()
    (tmp_path / "market" / "a.py").rename(tmp_path / "market" / "b.py")
    assert len({before, changed, digest()}) == 3
    provenance.source_digest.cache_clear()


def test_the_version_is_that_of_the_sources_and_of_no_other_copy(tmp_path):
    write(tmp_path)
    assert provenance.own_version(tmp_path) is None
    project = '[project]\nname = "shakeout"\nversion = "9.9"\n'
    (tmp_path / "pyproject.toml").write_text(project)
    assert provenance.own_version(tmp_path) == "9.9"


def test_an_installed_lab_says_where_it_was_taken_from(tmp_path, monkeypatch):
    site = tmp_path / "site-packages"
    write(site)
    info = site / "shakeout-9.8.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: shakeout\nVersion: 9.8"
    )
    url = {"url": "file:///a.whl", "archive_info": {}}
    (info / "direct_url.json").write_text(json.dumps(url))
    monkeypatch.syspath_prepend(str(site))
    assert provenance.installed_from(site) == url
    assert provenance.own_version(site) == "9.8"
    write(tmp_path / "elsewhere")
    assert provenance.installed_from(tmp_path / "elsewhere") is None
