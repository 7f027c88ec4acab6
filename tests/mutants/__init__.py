"""Breaks one rounding, comparison or tie rule at a time and sees a test fail.

The mutants stand beside this file, one YAML file for each room of the code; what an
entry means is said in `tests.mutants.change`. `tests/test_mutants.py` holds the list to
the code, in the ordinary suite. Running the mutants takes hours:

    python -m tests.mutants            # all
    python -m tests.mutants bankruptcy # those whose file, function or rule has the word
"""

from tests.mutants.change import FOLDER, ROOT, Mutant, StaleError, broken, load

MUTANTS = [m for path in sorted(FOLDER.glob("*.yaml")) for m in load(path)]

__all__ = ["MUTANTS", "ROOT", "Mutant", "StaleError", "broken"]
