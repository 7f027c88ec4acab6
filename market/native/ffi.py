"""Sequential kernels as XLA custom calls: Numba code inside a compiled JAX step.

A block of an exchange is a sequence: each message changes the book that the next one
meets. An array machine pays for that with masks over whole sides; a CPU core does not
have to. This module lets a Numba-compiled function be called from inside a jitted JAX
program on the CPU, without Python, callback or copy: the function is compiled to a
C function pointer that speaks XLA's foreign-function interface (`XLA_FFI_CallFrame`)
and registered under a name.

Only int64 buffers are passed. Every operand carries a leading axis of lanes.

Source: the C header ``xla/ffi/api/c_api.h`` of jaxlib (`jax.ffi.include_dir()`).
"""

# Numba's own annotations do not tell how it types what it compiles.
# pyright: reportCallIssue=false, reportPrivateImportUsage=false

import ctypes
import warnings
from collections.abc import Callable

import jax
import numpy as np
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

from market.native.deferred import DeferredCompiler
from market.native.fingerprint import fingerprint_of

# Offsets in 8-byte words of the fields of XLA_FFI_CallFrame, ..._Buffer, and so on.
_FRAME_EXTENSION = np.int64(1)
_FRAME_ARGS = np.int64(9)
_FRAME_RETS = np.int64(14)
_BUFFER_DATA = np.int64(3)
_BUFFER_RANK = np.int64(4)
_BUFFER_DIMS = np.int64(5)
_EXTENSION_TYPE = 1
_EXTENSION_METADATA = 3
_METADATA_EXTENSION = 1
_API_VERSION = 0 | 3 << 32  # int32 major 0, int32 minor 3, little-endian


#: Decorator of functions that only other compiled functions call: without wrappers for
#: Python and without machine code of their own, which together are most of the compile
#: time. Division by zero gives no error. Arrays are views of the caller's memory, whose
#: references nobody counts (see `market.native.deferred`), so a kernel cannot allocate.
kernel = njit(
    error_model="numpy",
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
    pipeline_class=DeferredCompiler,
)

#: The same for a function that allocates what a call needs, and hands it on.
allocator = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


@intrinsic
def _pointer(typingctx, address):
    """An int64 address as a pointer that `carray` accepts."""
    signature = types.voidptr(types.int64)

    def codegen(context, builder, signature, args):
        kind = context.get_value_type(types.voidptr)
        return builder.inttoptr(args[0], kind)

    return signature, codegen


@kernel
def _words(address, count):
    return carray(_pointer(address), count, np.int64)


@kernel
def _buffer(table, index):
    """The lanes x words view of one operand: its leading axis, the rest flattened."""
    frame = _words(table, index + 1)
    header = _words(frame[index], 6)
    rank = header[_BUFFER_RANK]
    dims = _words(header[_BUFFER_DIMS], max(rank, 1))
    rows, size = 1, 1
    if rank > 0:
        rows = dims[0]
        for axis in range(1, rank):
            size *= dims[axis]
    return _words(header[_BUFFER_DATA], rows * size).reshape((rows, size))


@kernel
def argument(frame, index):
    """Operand ``index`` of the call as int64 [lanes, words]; read only by contract."""
    return _buffer(_words(frame, _FRAME_ARGS + 1)[_FRAME_ARGS], np.int64(index))


@kernel
def result(frame, index):
    """Result ``index`` of the call as int64 [lanes, words]; uninitialised."""
    return _buffer(_words(frame, _FRAME_RETS + 1)[_FRAME_RETS], np.int64(index))


@kernel
def answers_metadata_query(frame):
    """XLA asks each handler once for its API version; true where this call was that."""
    extension = _words(frame, 2)[_FRAME_EXTENSION]
    if extension == 0:
        return False
    header = _words(extension, 4)
    if header[_EXTENSION_TYPE] & 0xFFFFFFFF != _METADATA_EXTENSION:
        return False
    metadata = _words(header[_EXTENSION_METADATA], 5)
    metadata[3] = _API_VERSION
    return True


def register(name: str, make: Callable[[int], Callable], module: str) -> None:
    """Registers a handler as the CPU custom call ``name``.

    Compiled code is cached on disk beside the source, under a key that covers every
    source that the code is made of.

    Args:
        name: what the compiled program calls it.
        make: gives the handler, ``handler(frame: int64) -> int64``, for a number that
            the handler holds as a constant (see `market.native.fingerprint`). The
            handler first returns 0 where `answers_metadata_query(frame)`; it returns 0
            for success.
        module: dotted name of the module that defines it.

    Raises:
        FileNotFoundError: a source that the handler depends on cannot be read.
    """
    compiled = _compiled(make(fingerprint_of(module)))
    pointer = ctypes.c_void_p(compiled.address)
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(pointer), platform="cpu")
    _KEPT_ALIVE.append(compiled)


def _compiled(handler: Callable):
    """The handler as a C function, from the disk cache where there is one."""
    signature = types.int64(types.int64)
    try:
        return cfunc(signature, cache=True)(handler)
    except (RuntimeError, OSError) as error:
        # Numba found no place that can be written, or the disk is full.
        warnings.warn(
            f"compiled kernels are not kept on disk ({error}); NUMBA_CACHE_DIR chooses "
            "a place",
            stacklevel=2,
        )
        return cfunc(signature)(handler)


_KEPT_ALIVE: list = []


@kernel
def _field(table, index, word):
    frame = _words(table, index + 1)
    return _words(frame[index], 6)[word]


@kernel
def argument_address(frame, index):
    """Address of the first word of operand ``index``."""
    table = _words(frame, _FRAME_ARGS + 1)[_FRAME_ARGS]
    return _field(table, index, _BUFFER_DATA)


@kernel
def result_address(frame, index):
    """Address of the first word of result ``index``."""
    table = _words(frame, _FRAME_RETS + 1)[_FRAME_RETS]
    return _field(table, index, _BUFFER_DATA)


@kernel
def own_results(frame, first, count):
    """Makes the first results hold what operands hold that they are to change.

    XLA lets a result share the buffer of its operand where it can; elsewhere this
    copies. Result 0 goes with operand ``first``, and so on.
    """
    for index in range(count):
        source = argument_address(frame, first + index)
        target = result_address(frame, index)
        if source != target:
            size = result_size(frame, index)
            old, own = _words(source, size), _words(target, size)
            for word in range(size):
                own[word] = old[word]


@kernel
def result_size(frame, index):
    """Number of words of result ``index``, over all lanes."""
    table = _words(frame, _FRAME_RETS + 1)[_FRAME_RETS]
    rank = _field(table, index, _BUFFER_RANK)
    dims = _words(_field(table, index, _BUFFER_DIMS), max(rank, 1))
    size = 1
    for axis in range(rank):
        size *= dims[axis]
    return size
