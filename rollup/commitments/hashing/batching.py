"""From a kernel on columns of lanes to a hash of many messages under any vmap."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from market.native.platform import by_platform

#: Messages hashed together: what stays in the caches of one core, and what keeps an
#: accelerator busy.
CPU_LANES = 1024
DEVICE_LANES = 1 << 16


def over_messages(
    kernel: Callable, cpu_lanes: int = CPU_LANES, on_cpu: Callable | None = None
) -> Callable:
    """A hash of UInt32 [N, W] -> UInt32 [N, d] from a kernel [W, L] -> [d, L].

    The messages pass in blocks whose size fits the device; the bits do not depend on
    it, since messages never meet. Vmap only lengthens the batch.

    Args:
        kernel: integer array operations, valid on every device.
        cpu_lanes: messages per block on a CPU.
        on_cpu: what hashes a whole batch [N, W] on a CPU instead, if anything.
    """
    on_cpu = on_cpu or partial(in_blocks, kernel=kernel, lanes=cpu_lanes)

    @jax.custom_batching.custom_vmap
    def digest(words):
        return by_platform(
            words,
            cpu=on_cpu,
            default=partial(in_blocks, kernel=kernel, lanes=DEVICE_LANES),
        )

    @digest.def_vmap
    def _(axis_size, in_batched, words):
        worlds, count, width = words.shape
        flat = digest(words.reshape(worlds * count, width))
        return flat.reshape(worlds, count, -1), True

    return digest


def in_blocks(words, *, kernel: Callable, lanes: int):
    """Hashes [N, W] in blocks of at most ``lanes`` messages."""
    count, width = words.shape
    if count <= lanes:
        return kernel(words.T).T
    blocks = -(-count // lanes)
    padded = jnp.pad(words, ((0, blocks * lanes - count), (0, 0)))
    digests = lax.map(
        lambda part: kernel(part.T).T, padded.reshape(blocks, lanes, width)
    )
    return digests.reshape(blocks * lanes, -1)[:count]
