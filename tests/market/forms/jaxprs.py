"""What a compiled function contains: a walk over its jaxpr and all inner jaxprs."""

import jax
import jax.numpy as jnp


def _avals(jaxpr):
    for variable in [*jaxpr.invars, *jaxpr.outvars, *jaxpr.constvars]:
        yield variable.aval
    for equation in jaxpr.eqns:
        for variable in [*equation.invars, *equation.outvars]:
            yield variable.aval
        for parameter in jax.tree.leaves(
            equation.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")
        ):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from _avals(inner)


def inexact_dtypes(function, *args) -> set[str]:
    """Names of the floating and complex types anywhere in ``function``'s jaxpr."""
    return inexact_dtypes_in(jax.make_jaxpr(function)(*args))


def inexact_dtypes_in(closed) -> set[str]:
    """Names of the floating and complex types anywhere in a traced function."""
    found = set()
    for aval in _avals(closed.jaxpr):
        dtype = getattr(aval, "dtype", None)
        if dtype is not None and jnp.issubdtype(dtype, jnp.inexact):
            found.add(str(dtype))
    return found
