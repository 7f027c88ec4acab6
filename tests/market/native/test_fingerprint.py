"""Compiled code is known by all its sources; one that cannot be read is refused."""

import importlib
import re
import sys
import types
from pathlib import Path

import pytest

from market.native import fingerprint
from market.native.fingerprint import fingerprint_of

ENTRY = "from lab.callee import add\n\n\ndef run():\n    return add(1)\n"
CALLEE = "def add(x):\n    return x + 1\n"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A package ``lab`` whose files the test writes; modules are found on disk."""
    folder = tmp_path / "lab"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**sources):
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(source)
        forget()
        return fingerprint_of("lab.entry")

    def forget():
        fingerprint_of.cache_clear()
        importlib.invalidate_caches()
        for name in [n for n in sys.modules if n.partition(".")[0] == "lab"]:
            del sys.modules[name]

    write.folder = folder
    (folder / "__init__.py").write_text("")
    yield write
    forget()


def test_the_same_sources_give_the_same_number(lab):
    assert lab(entry=ENTRY, callee=CALLEE) == lab(entry=ENTRY, callee=CALLEE)


def test_a_changed_callee_changes_it(lab):
    before = lab(entry=ENTRY, callee=CALLEE)
    assert lab(callee=CALLEE.replace("+ 1", "+ 2")) != before


def test_a_callee_of_a_callee_changes_it(lab):
    callee = "from lab import inner\n\n\ndef add(x):\n    return inner.add(x)\n"
    before = lab(entry=ENTRY, callee=callee, inner=CALLEE)
    assert lab(inner=CALLEE.replace("+ 1", "+ 2")) != before


def test_a_module_that_nothing_imports_does_not_change_it(lab):
    before = lab(entry=ENTRY, callee=CALLEE)
    assert lab(other="x = 1\n") == before


def test_a_renamed_module_changes_it_with_the_same_code_in_it(lab):
    before = lab(entry=ENTRY, callee=CALLEE)
    (lab.folder / "callee.py").rename(lab.folder / "renamed.py")
    assert lab(entry=ENTRY.replace("callee", "renamed")) != before


def test_a_module_that_is_gone_is_named_with_the_one_that_asks_for_it(lab):
    lab(entry=ENTRY, callee=CALLEE)
    (lab.folder / "callee.py").unlink()
    with pytest.raises(FileNotFoundError, match=r"lab\.callee, which lab\.entry"):
        lab(entry=ENTRY)


@pytest.mark.parametrize("name", ["__init__", "inner/__init__", "inner/leaf"])
def test_packages_on_the_way_and_relative_imports_count(lab, name):
    (lab.folder / "inner").mkdir()
    sources = {
        "__init__": "",
        "inner/__init__": "from . import leaf\nfrom ..callee import add\n",
        "inner/leaf": "x = 1\n",
    }
    before = lab(entry="import lab.inner\n", callee=CALLEE, **sources)
    assert lab(**{name: sources[name] + "y = 2\n"}) != before
    assert lab(**{name: sources[name]}) == before
    assert lab(callee=CALLEE + "z = 3\n") != before


def test_another_version_of_a_compiler_changes_it(lab, monkeypatch):
    before = lab(entry=ENTRY, callee=CALLEE)
    monkeypatch.setattr(fingerprint.metadata, "version", lambda name: "0.0")
    assert lab() != before


@pytest.mark.parametrize(
    "module",
    [
        "market.kernels.entry",
        "market.kernels.messages",
        "rollup.commitments.hashing.blake2s_native",
    ],
)
def test_every_function_that_a_handler_reaches_is_in_its_fingerprint(module):
    sources, seen = fingerprint.sources_of(module), set()
    waiting = list(vars(importlib.import_module(module)).values())
    while waiting:
        value = waiting.pop()
        function = getattr(value, "py_func", value)
        if not isinstance(function, types.FunctionType) or function in seen:
            continue
        if function.__module__.partition(".")[0] not in fingerprint.LAB:
            continue
        seen.add(function)
        assert function.__module__ in sources, function
        names = function.__code__.co_names
        waiting += [function.__globals__.get(name) for name in names]
        waiting += [cell.cell_contents for cell in function.__closure__ or ()]
    assert len(seen) > 5


def test_nothing_else_is_kept_on_disk():
    """A kernel that Numba keeps by itself would know its callees by nothing."""
    home = Path(fingerprint.__file__).resolve().parents[2]
    kept = [
        path.relative_to(home).as_posix()
        for package in fingerprint.LAB
        for path in (home / package).rglob("*.py")
        if re.search(r"\bcache\s*=\s*True", path.read_text("utf-8"))
    ]
    assert kept == ["market/native/ffi.py"]


@pytest.mark.parametrize(
    "entry",
    [
        "def run():\n    from lab.callee import add\n    return add(1)\n",
        "def run():\n    import lab.callee\n    return lab.callee.add(1)\n",
        "def run():\n    from lab import callee\n    return callee.add(1)\n",
        "if True:\n    import lab.callee as other\n",
    ],
    ids=["from a function", "whole", "from the package", "in a branch"],
)
def test_an_import_counts_wherever_it_stands(lab, entry):
    before = lab(entry=entry, callee=CALLEE)
    assert lab(callee=CALLEE.replace("+ 1", "+ 2")) != before


def test_a_changed_compiler_changes_the_code_of_every_package(
    lab, tmp_path, monkeypatch
):
    entry = "from market.native.ffi import kernel\n"
    before, found = lab(entry=entry), fingerprint.source_of
    changed = tmp_path / "deferred.py"
    changed.write_text(found("market.native.deferred").read_text() + "# changed\n")
    monkeypatch.setattr(
        fingerprint,
        "source_of",
        lambda name: changed if name == "market.native.deferred" else found(name),
    )
    assert lab() != before
