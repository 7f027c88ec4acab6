"""Pages and docstrings refer only to what is in the repository."""

import ast
import re
from pathlib import Path

import pytest

from experiments.config import Config
from tests.structure import sources

PAGES = sorted(
    path.relative_to(sources.HOME)
    for path in [*sources.HOME.glob("*.md"), *(sources.HOME / "docs").rglob("*.md")]
)
SOURCE_SUFFIXES = (".py", ".md", ".yaml", ".toml", ".cfg", ".sh", ".js", ".css", ".txt")
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
TICKED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
#: Keys of a config's section that has the name of a package.
KEYS = {f"rollup.{key}" for key in type(Config().rollup).model_fields}
PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")


def anchor(heading: str) -> str:
    """The anchor of a heading, made as GitHub makes it."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """The anchors of a page."""
    text = FENCED.sub("", (sources.HOME / page).read_text())
    return {anchor(line.lstrip("#")) for line in text.splitlines() if line[:1] == "#"}


def broken_links(page: Path, text: str) -> list[str]:
    """Links of a page whose file or heading does not exist."""
    broken = []
    for found in LINK.finditer(FENCED.sub("", text)):
        target = found[1] or found[2]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        path = (sources.HOME / page.parent / name).resolve() if name else page
        there = (sources.HOME / path).exists()
        headed = not fragment or (
            there and fragment in anchors(path.resolve().relative_to(sources.HOME))
        )
        if not (there and headed):
            broken.append(target)
    return broken


def own_files(text: str) -> set[str]:
    """Files that the page has its reader write: a code block begins with its name."""
    return set(re.findall(r"^```\w+\n# ([\w./-]+\.\w+)$", text, re.MULTILINE))


def missing_paths(page: Path, text: str) -> list[str]:
    """Paths of sources in backticks that are not in the repository."""
    missing = []
    for token in TICKED.findall(FENCED.sub("", text)):
        if not PATH.fullmatch(token) or token in own_files(text):
            continue
        is_folder = token.endswith("/") and token.split("/")[0] in sources.PACKAGES
        if not (is_folder or token.endswith(SOURCE_SUFFIXES)):
            continue
        places = [sources.HOME, sources.HOME / page.parent]
        places += [sources.HOME / package for package in (*sources.PACKAGES, "docs")]
        there = any(any(place.glob(token.rstrip("/"))) for place in places)
        bare = "/" not in token and any((sources.HOME).glob(f"[!.]*/**/{token}"))
        if not (there or bare):
            missing.append(token)
    return missing


def members(module: ast.Module) -> set[str]:
    """Every name that a file defines or imports, at any depth."""
    names = set()
    for node in ast.walk(module):
        if isinstance(node, (ast.ClassDef, *sources.Function.__args__)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return names


def exists(dotted: str) -> bool:
    """Whether `market.types.orders.Tx` is a module, or a name defined in one."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        path = sources.file_of(".".join(parts[:count]))
        if path:
            return set(parts[count:]) <= members(sources.tree(path))
        if (sources.HOME / Path(*parts[:count])).is_dir():
            return count == len(parts)
    return False


def missing_names(text: str) -> list[str]:
    """Dotted names of the packages in backticks that do not exist."""
    return [
        token
        for found in TICKED.findall(FENCED.sub("", text))
        for token in re.findall(DOTTED, found)
        if token.split(".")[0] in (*sources.PACKAGES, "tests", "benchmarks")
        and not token.endswith((".py", ".md", ".yaml"))
        and token not in KEYS
        and not exists(token)
    ]


def test_what_does_not_exist_is_found():
    page = Path("docs/sample.md")
    text = "[a](no.md) [b](design.md#no) `market/no.py` `market.no.f` `market.types`"
    assert broken_links(page, text) == ["no.md", "design.md#no"]
    assert missing_paths(page, text) == ["market/no.py"]
    assert missing_names(text) == ["market.no.f"]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_refers_to_what_exists(page):
    text = (sources.HOME / page).read_text()
    assert broken_links(page, text) == []
    assert missing_paths(page, text) == []
    if page.name != "CHANGELOG.md":  # which also tells of what has gone
        assert missing_names(text) == []


def test_docstrings_refer_to_what_exists():
    missing = {
        f"{path}: {name}"
        for path in sources.files(*sources.PACKAGES, "tests", "benchmarks")
        for text in sources.docstrings(sources.tree(path))
        for name in missing_names(text)
    }
    assert missing == set()


def test_no_source_names_a_page_of_nobody():
    """A rule names its primary source, which a reader can find."""
    wrong = {
        f"{path}: {line.strip()}"
        for path in sources.files(*sources.PACKAGES)
        for text in sources.docstrings(sources.tree(path))
        for line in text.splitlines()
        if "reference page" in line.lower()
    }
    assert wrong == set()
