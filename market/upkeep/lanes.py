"""One question asked of all lanes at once, so that rare work stays rare under vmap.

A condition that differs from lane to lane makes `lax.cond` run both branches in every
block. Asked this way it is one for all lanes: the work is done where any lane needs it,
and masks itself in the others, so that what a lane comes to does not depend on its
neighbours.
"""

import jax.numpy as jnp
from jax import Array
from jax.custom_batching import custom_vmap


@custom_vmap
def in_any_lane(on: Array) -> Array:
    """Whether the condition, bool [], holds in any lane that runs beside this one."""
    return on


@in_any_lane.def_vmap
def _(axis_size, is_mapped, on):
    """Lanes of lanes ask again, one axis after the other."""
    return in_any_lane(jnp.any(on)), False
