"""Compiling Numba functions that only other Numba functions call.

Numba takes every function through LLVM on its own: it links in all that the function
calls, optimises the whole, and emits machine code, even where nobody will ever call it
from Python. For a kernel of a hundred small functions that repeats most of the work at
every level of calls. `DeferredCompiler` leaves such functions as linked, unoptimised
LLVM code; the entry point that is compiled as usual optimises everything once.

This uses Numba's extension point for compilers (``pipeline_class``), but overrides
methods of its code library that are not promised to stay. Where they are gone,
`DeferredCompiler` is Numba's own compiler: slower to compile, the same code.

Source: ``numba/core/codegen.py`` of Numba 0.65 to 0.68.
"""

from typing import Any

from numba.core import codegen
from numba.core.compiler import Compiler
from numba.core.errors import NumbaRuntimeError
from numba.core.runtime.context import NRTContext

_NEEDED = (
    "_optimize_final_module",
    "_finalize_final_module",
    "_finalize_dynamic_globals",
    "get_pointer_to_function",
)
_IS_SUPPORTED = hasattr(codegen, "JITCodeLibrary") and all(
    hasattr(codegen.JITCodeLibrary, name) for name in _NEEDED
)
_COUNTS_IN_ONE_PLACE = hasattr(NRTContext, "_call_incref_decref")


class _NoEnvironment:
    """The code generator of a library that is never loaded: there is nothing to set."""

    def __init__(self, code_generator):
        self._codegen = code_generator

    def __getattr__(self, name):
        return getattr(self._codegen, name)

    def set_env(self, name, environment):
        """Constants of the Python wrapper; functions here have none."""


_Library: Any = getattr(codegen, "JITCodeLibrary", object)


class _DeferredLibrary(_Library):
    """LLVM code that is linked into its callers, but not optimised or emitted."""

    @property
    def codegen(self):
        """The code generator, for everybody but the loader."""
        return _NoEnvironment(self._codegen)

    def get_pointer_to_function(self, name):
        """There is no machine code: a null pointer, as for an undefined symbol."""
        self._ensure_finalized()
        return 0

    def _optimize_final_module(self):
        """Left to the entry point that this is linked into."""

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._finalized = True


class _Uncounted(NRTContext):
    """Memory management of functions that only look at memory of others.

    Numba counts the references to an array in each function that it passes through, by
    a call that is never inlined. In a book made of small functions that took half of
    the time.
    """

    def _call_incref_decref(self, builder, typ, value, funcname):
        """Counts nothing."""

    def _require_nrt(self):
        raise NumbaRuntimeError("kernels cannot allocate: their arrays are views")


#: Numba keeps helpers that it compiled on the way; these count nothing either.
_HELPERS: dict = {}


class DeferredCompiler(Compiler):
    """Numba's compiler, with a `_DeferredLibrary` for the code and `_Uncounted`."""

    def define_pipelines(self):
        """The usual passes."""
        if _COUNTS_IN_ONE_PLACE:
            self.state.targetctx.nrt = _Uncounted(self.state.targetctx, True)
            self.state.targetctx.cached_internal_func = _HELPERS
        if _IS_SUPPORTED and self.state.library is None:
            library = _DeferredLibrary(self.state.targetctx.codegen(), "deferred")
            library.enable_object_caching()
            self.state.library = library
        return super().define_pipelines()
