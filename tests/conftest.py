"""How the whole suite compiles.

The tests compile hundreds of small programs and run each for a moment, so LLVM's
optimisations cost more than they save: a third of the suite's time. Integer programs
give the same bits at every level.
"""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
