"""Compiled code is known by all its sources; one that cannot be read is refused."""

import importlib
import sys

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
