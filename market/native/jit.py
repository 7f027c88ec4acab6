"""How the lab's large programs are compiled."""

import os
from functools import partial

import jax

_LEVEL = "xla_backend_optimization_level"

#: A step is thousands of small integer loops. LLVM's costlier passes take twice the
#: time to compile them and gain nothing measurable (see docs/performance.md). A level
#: that the environment asks for wins.
COMPILER_OPTIONS = {} if _LEVEL in os.environ.get("XLA_FLAGS", "") else {_LEVEL: 1}

#: `jax.jit` for programs that hold a whole step of the exchange, chain or world.
jit_step = partial(jax.jit, compiler_options=COMPILER_OPTIONS)
