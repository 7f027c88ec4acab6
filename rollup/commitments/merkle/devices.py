"""One tree over several devices: each hashes a subtree, the tops are joined."""

from functools import cache

import jax
from jax import lax
from jax.sharding import AxisType, Mesh, PartitionSpec
from jaxtyping import Array, UInt32

from rollup.commitments.merkle.nodes import BLAKE2S, NodeHash
from rollup.commitments.merkle.tree import merkle_root


def merkle_root_over_devices(
    leaves: UInt32[Array, "n w"], *, mesh: Mesh, node_hash: NodeHash = BLAKE2S
) -> UInt32[Array, " w"]:
    """The root of `merkle_root`, bit for bit, computed on all devices of ``mesh``.

    Args:
        leaves: n leaves, n a power of two.
        mesh: one axis of devices; their number a power of two that divides n.
        node_hash: the tree's hash.

    Raises:
        ValueError: n or the number of devices is not a power of two, or there are
            fewer leaves than devices.
    """
    count, devices = leaves.shape[0], mesh.size
    if count & (count - 1) or devices & (devices - 1) or count < devices:
        raise ValueError(f"{count} leaves cannot be halved over {devices} devices")
    return _joined(mesh, node_hash)(leaves)


@cache
def _joined(mesh: Mesh, node_hash: NodeHash):
    """Every device hashes its own subtree, gathers the roots and joins them."""

    def root(part):
        own = merkle_root(part, node_hash=node_hash)
        tops = lax.all_gather(own, mesh.axis_names)
        return merkle_root(tops, node_hash=node_hash)

    # The hash's loop starts from constants, which the check of varying axes refuses.
    return jax.shard_map(
        root,
        mesh=mesh,
        in_specs=PartitionSpec(mesh.axis_names),
        out_specs=PartitionSpec(),
        check_vma=False,
    )


def local_mesh() -> Mesh:
    """All local devices on one axis, cut to a power of two."""
    devices = jax.local_devices()
    count = 1 << (len(devices).bit_length() - 1)
    return jax.make_mesh(
        (count,), ("subtrees",), (AxisType.Auto,), devices=devices[:count]
    )
