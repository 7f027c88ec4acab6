"""Compiled code is kept where its user alone can write, or nowhere; and said once."""

import tempfile
from pathlib import Path

import pytest

from experiments.fleet import caches, environment


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files; the usual cache directory cannot be written."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    caches._writable_or_temporary.cache_clear()
    yield folder
    caches._writable_or_temporary.cache_clear()


def test_where_the_cache_cannot_be_written_a_private_temporary_folder_serves(
    temporary, capsys
):
    found = environment.compilation_cache({})["JAX_COMPILATION_CACHE_DIR"]
    (folder,) = temporary.iterdir()
    assert Path(found) == folder / "shakeout" / "jax"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert caches.user_directory() == folder
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_a_folder_that_others_can_write_is_not_used(temporary):
    caches.user_directory()
    (folder,) = temporary.iterdir()
    folder.chmod(0o777)
    caches._writable_or_temporary.cache_clear()
    assert caches.user_directory() != folder


def test_without_a_home_or_any_folder_nothing_is_kept(temporary, monkeypatch, capsys):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "none"))
    monkeypatch.setattr(caches, "is_writable", lambda folder: False)
    assert set(environment.compilation_cache({})) == {
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES",
    }
    assert "are not kept" in capsys.readouterr().err


def test_a_read_only_installation_keeps_kernels_with_the_programs(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert caches.numba_directory(environment.HOME) is None
    (tmp_path / "market").write_text("no folder can be made here")
    assert caches.numba_directory(tmp_path) == tmp_path / "shakeout" / "numba"


def test_what_the_user_has_chosen_stands_and_is_not_looked_into(temporary, capsys):
    chosen = {"JAX_COMPILATION_CACHE_DIR": "/a", "NUMBA_CACHE_DIR": "/b"}
    found = environment.compilation_cache(chosen)
    assert chosen.items() <= found.items()
    assert capsys.readouterr().err == ""


def test_a_kernel_that_cannot_be_kept_is_compiled_all_the_same(monkeypatch):
    from market.native import ffi

    compiled = []

    def cfunc(signature, cache=False):
        def decorate(handler):
            if cache:
                raise RuntimeError("cannot cache function: no locator available")
            compiled.append(handler)
            return handler

        return decorate

    monkeypatch.setattr(ffi, "cfunc", cfunc)
    with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR chooses a place"):
        ffi._compiled(len)
    assert compiled == [len]
