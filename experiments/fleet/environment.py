"""The environment of a process that computes, set before JAX is imported.

Every worker is one process on one core: XLA gets one thread there, or as many workers
as cores would fight over them. Compiled programs are kept on disk, so that a program
compiles once for all workers and for the next experiment.
"""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

#: The folder that holds the four packages.
HOME = Path(__file__).resolve().parents[2]


def cache_directory() -> Path:
    """Where compiled programs are kept: under the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "shakeout" / "jax"


def compilation_cache() -> dict[str, str]:
    """Variables that make JAX keep compiled programs on disk."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(cache_directory()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def prepare() -> None:
    """Sets the variables of this process where the user has not set them."""
    for name, value in compilation_cache().items():
        os.environ.setdefault(name, value)
    # Ray prints a warning on a setting whose default will change; take the new one.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def listen_for_interrupts() -> None:
    """SIGINT and SIGTERM end a run tidily, even where a shell had them ignored.

    Both raise `KeyboardInterrupt`. Ray sets a handler of its own when it starts, so
    this is called again after that.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def of_worker(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables of a worker process, on top of those of the one that starts it."""
    paths = [
        str(HOME),
        *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)),
    ]
    flags = environment.get("XLA_FLAGS", "")
    single = "--xla_cpu_multi_thread_eigen=false"
    cache = {
        name: environment.get(name, value)
        for name, value in compilation_cache().items()
    }
    return {
        **cache,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "XLA_FLAGS": flags if single in flags else f"{flags} {single}".strip(),
        # The size of XLA's CPU thread pool.
        "NPROC": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def gpu_count() -> int:
    """GPUs that this JAX could use; does not start one."""
    import importlib.util

    if os.environ.get("JAX_PLATFORMS", "").split(",")[0] == "cpu":
        return 0
    plugins = ("jax_cuda13_plugin", "jax_cuda12_plugin")
    if not any(importlib.util.find_spec(name) for name in plugins):
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
