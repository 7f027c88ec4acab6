"""The environment of a process that computes, set before JAX is imported.

Every worker is one process on one core: XLA gets one thread there, or as many workers
as cores would fight over them. Compiled programs are kept on disk, so that a program
compiles once for all workers and for the next experiment.
"""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from experiments.fleet import caches

#: The folder that holds the four packages.
HOME = Path(__file__).resolve().parents[2]
_CACHES = (
    _JAX := "JAX_COMPILATION_CACHE_DIR",
    _NUMBA := "NUMBA_CACHE_DIR",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES",
)


def compilation_cache(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables that make JAX and Numba keep compiled programs on disk.

    What the environment says already stands, and is not looked into.
    """
    said = {name: environment[name] for name in _CACHES if environment.get(name)}
    if _JAX not in said and (folder := caches.user_directory()):
        said[_JAX] = str(folder / "shakeout" / "jax")
    if _NUMBA not in said and (folder := caches.numba_directory(HOME)):
        said[_NUMBA] = str(folder)
    return {
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        **said,
    }


def prepare() -> None:
    """Sets the variables of this process where the user has not set them."""
    for name, value in compilation_cache().items():
        os.environ.setdefault(name, value)
    # Ray prints a warning on a setting whose default will change; take the new one.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def of_worker(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables of a worker process, on top of those of the one that starts it."""
    paths = [
        str(HOME),
        *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)),
    ]
    flags = environment.get("XLA_FLAGS", "")
    single = "--xla_cpu_multi_thread_eigen=false"
    return {
        **compilation_cache(environment),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "XLA_FLAGS": flags if single in flags else f"{flags} {single}".strip(),
        # The size of XLA's CPU thread pool.
        "NPROC": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def supports_gpus() -> bool:
    """Whether this JAX could use GPUs; does not start one."""
    if os.environ.get("JAX_PLATFORMS", "").split(",")[0] == "cpu":
        return False
    plugins = ("jax_cuda13_plugin", "jax_cuda12_plugin")
    return any(importlib.util.find_spec(name) for name in plugins)


def gpu_count() -> int:
    """GPUs of this machine that this JAX could use; does not start one."""
    if not supports_gpus():
        return 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([part for part in visible.split(",") if part.strip()])
    return (
        len(list(Path("/dev").glob("nvidia[0-9]*"))) if sys.platform == "linux" else 0
    )


def core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
