"""The one place that sets up JAX for exact integers."""

import jax


def enable_exact_integers() -> None:
    """Turns on 64-bit integers; called once, by the packages that need them."""
    jax.config.update("jax_enable_x64", True)
