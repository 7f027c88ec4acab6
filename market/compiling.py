"""How the lab's large programs are compiled."""

from functools import partial

import jax

#: A step is thousands of small integer loops. LLVM's costlier passes take twice the
#: time to compile them and gain nothing measurable (see docs/performance.md).
COMPILER_OPTIONS = {"xla_backend_optimization_level": 1}

#: `jax.jit` for programs that hold a whole step of the exchange, chain or world.
jit_step = partial(jax.jit, compiler_options=COMPILER_OPTIONS)
