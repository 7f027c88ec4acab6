"""One word for each thing: *batch* is the rollup's, *settle* is what L1 does.

An auction has a *round*, hashing has *lanes*, a fill is *applied*, a participant has a
*home*. The test reads the names that the code defines and the docstrings.
"""

import ast
import re

from tests.structure import sources

WORD = re.compile(r"batch|settl", re.IGNORECASE)

#: Phrases with one of the words that mean the right thing, each with its reason.
PHRASES = {
    r"(frequent )?batch auctions?": "the field's name (Budish, Cramton and Shim 2015)",
    r"(the|its) batch (has |is )?settle[sd]?": "the rollup's batch, settled on L1",
    r"settlement layer": "L1",
    r"final settlement": "dYdX v4's name of the end of a market",
}

#: Files that speak of the rollup's batches or of L1, each with its reason.
ROLLUPS: dict[str, str] = {
    "agents/measure/metrics/settlement.py": "measures batches and their settlement",
    "market/venues/starkex/oracle.py": "the prices that a StarkEx batch is signed with",
    "market/venues/starkex/funding.py": "the rules of a StarkEx batch",
}


def defined(module: ast.Module) -> set[str]:
    """The names that a file gives to something: functions, arguments, variables."""
    names = set()
    for node in ast.walk(module):
        if isinstance(node, (ast.ClassDef, *sources.Function.__args__)):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return names


def misuses(module: ast.Module) -> set[str]:
    """Names and lines of docstrings in which one of the words has another meaning."""
    allowed = re.compile("|".join(f"(?:{phrase})" for phrase in PHRASES), re.IGNORECASE)
    lines = {
        line.strip()
        for text in sources.docstrings(module)
        for line in allowed.sub("", " ".join(text.split())).split(". ")
        if WORD.search(line)
    }
    names = {n for n in defined(module) if WORD.search(allowed.sub("", n))}
    return names | lines


def speaking() -> dict[str, set[str]]:
    """The misuses of every file of the market and the agents that has some."""
    found = {
        str(path): misuses(sources.tree(path))
        for path in sources.files("market", "agents")
    }
    return {path: words for path, words in found.items() if words}


def test_a_second_meaning_is_found():
    code = (
        '"""Clears a batch. Paid when its batch settles."""\ndef settle(batch_no): ...'
    )
    words = misuses(ast.parse(code))
    assert words == {"settle", "batch_no", "Clears a batch"}


def test_batch_is_the_rollups_and_settle_is_l1s():
    wrong = {path: words for path, words in speaking().items() if path not in ROLLUPS}
    assert wrong == {}


def test_no_exception_outlives_its_file():
    assert ROLLUPS.keys() - speaking().keys() == set()
