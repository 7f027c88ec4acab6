"""Choosing between two forms of one computation before either is traced.

`jax.lax.platform_dependent` traces every branch and lets the compiler drop those that
the device does not run. The exchange's array form takes ten seconds to trace; on a CPU
nobody ever runs it. So the branch is chosen here, by the device that JAX would place
the computation on.
"""

from collections.abc import Callable
from typing import Any

import jax


def current_platform() -> str:
    """``cpu``, ``gpu`` or ``tpu``: where JAX places what it compiles now."""
    device: Any = jax.config.jax_default_device  # type: ignore[attr-defined]
    if device is None:
        return jax.default_backend()
    return device if isinstance(device, str) else device.platform


def by_platform(*operands: Any, cpu: Callable, default: Callable) -> Any:
    """``cpu(*operands)`` on a CPU, ``default(*operands)`` elsewhere.

    Both give the same bits; tests hold them to that.
    """
    return (cpu if current_platform() == "cpu" else default)(*operands)
