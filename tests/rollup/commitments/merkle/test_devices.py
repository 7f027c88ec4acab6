"""A tree hashed on two devices has the root it has on one."""

import os
import subprocess
import sys

import numpy as np
import pytest

from rollup.commitments.merkle import merkle_root
from rollup.commitments.merkle.devices import local_mesh, merkle_root_over_devices
from tests.rollup.commitments.merkle.oracle import random_digests

TWO_DEVICES = """
import numpy as np
from rollup.commitments.merkle import merkle_root
from rollup.commitments.merkle.devices import local_mesh, merkle_root_over_devices
from tests.rollup.commitments.merkle.oracle import random_digests
mesh = local_mesh()
assert mesh.size == 2, mesh
leaves = random_digests(0, 64)
spread = merkle_root_over_devices(leaves, mesh=mesh)
assert np.array_equal(spread, merkle_root(leaves))
print("equal")
"""


def test_two_devices_give_the_root_of_one():
    flags = "--xla_force_host_platform_device_count=2"
    answer = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.strip() == "equal", answer.stderr


def test_one_device_is_a_mesh_too():
    leaves, mesh = random_digests(1, 8), local_mesh()
    spread = merkle_root_over_devices(leaves, mesh=mesh)
    assert np.array_equal(spread, merkle_root(leaves))


def test_leaves_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match="6 leaves cannot be halved"):
        merkle_root_over_devices(random_digests(2, 6), mesh=local_mesh())
