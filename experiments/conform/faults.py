"""The rules of a fault (`rollup.faults.contract`)."""

from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.conform.rules import (
    Rule,
    must_be_integer,
    require,
    require_equal,
    require_integers,
)
from market.numbers.units import PPM
from rollup.faults.contract import KEYS, Conditions, Fault, Strikes, calm

#: Faults F, markets M and reporters N of the trials.
_FAULTS, _MARKETS, _REPORTERS = 3, 2, 5
_TRIALS = 64


def _strikes(rng: np.random.Generator, *, none: bool = False) -> Strikes:
    """Random strikes as the lab makes them: of no effect where not struck."""
    struck = np.zeros(_FAULTS, bool) if none else rng.random(_FAULTS) < 0.6
    severity = rng.choice([1, PPM // 3, PPM], _FAULTS)
    return Strikes(
        struck=jnp.asarray(struck),
        severity_ppm=jnp.asarray(np.where(struck, severity, 0)),
        targets=jnp.asarray(rng.integers(0, 16, _FAULTS)),
        transactions=jnp.asarray(rng.integers(0, 1024, _FAULTS)),
        bias_ppm=jnp.asarray(rng.integers(-PPM // 2, 5 * PPM, _FAULTS)),
        markets=jnp.asarray(rng.integers(0, 1 << _MARKETS, _FAULTS)),
        since_us=jnp.asarray(rng.integers(0, 1 << 40, _FAULTS)),
    )


def _conditions(rng: np.random.Generator) -> Conditions:
    """Conditions that other faults have worsened already."""
    worse = calm(_FAULTS, _MARKETS, _REPORTERS)
    for resource in worse.work_ppm:
        worse = worse.slowed(resource, jnp.asarray(int(rng.integers(0, PPM + 1))))
    shape = (_MARKETS, _REPORTERS)
    return replace(
        worse,
        halted=jnp.asarray(bool(rng.random() < 0.3)),
        room_ppm=jnp.asarray(int(rng.integers(0, PPM + 1))),
        bias_ppm=jnp.asarray(rng.integers(-PPM // 2, PPM, shape)),
        stuck=jnp.asarray(rng.random(shape) < 0.3),
        silent=jnp.asarray(rng.random(shape) < 0.3),
    )


@cache
def _trials(fault: Fault) -> list[tuple[Conditions, Strikes, Conditions]]:
    """Conditions, strikes, and what the fault makes of them."""
    rng = np.random.default_rng(0)
    effect = jax.jit(fault.effect)
    made = []
    for _ in range(_TRIALS):
        before, strikes = _conditions(rng), _strikes(rng)
        made.append((before, strikes, effect(before, strikes)))
    return made


def _names(fault: Fault) -> str:
    require(fault.name.isidentifier(), f"name = {fault.name!r}: a config needs a word")
    unknown = set(fault.reads) - set(KEYS)
    require(not unknown, f"reads {sorted(unknown)}; a fault may read {', '.join(KEYS)}")
    unread = {key for keys in fault.needs for key in keys} - set(fault.reads)
    require(not unread, f"needs {sorted(unread)}, which it does not read")
    return f"reads {', '.join(fault.reads) or 'nothing'}"


def _same_shape(fault: Fault) -> str:
    for before, _, after in _trials(fault):
        forms = [jax.tree.map(lambda x: (x.shape, x.dtype), c) for c in (before, after)]
        require(forms[0] == forms[1], f"gives {forms[1]}")
        require_integers(after, "conditions")
    return "every field of its shape and type"


def _in_range(fault: Fault) -> str:
    for _, _, after in _trials(fault):
        shares = {
            "room_ppm": after.room_ppm,
            "censor.share_ppm": after.censor.share_ppm,
            **{f"work_ppm[{name}]": each for name, each in after.work_ppm.items()},
        }
        for name, value in shares.items():
            low, high = int(jnp.min(value)), int(jnp.max(value))
            require(0 <= low and high <= PPM, f"{name} reaches {low} to {high}")
        require(int(jnp.min(after.bias_ppm)) > -PPM, "bias_ppm of -1,000,000 or less")
    return f"shares from 0 to {PPM:,} in {_TRIALS} blocks"


def _nothing_without_a_strike(fault: Fault) -> str:
    rng = np.random.default_rng(1)
    effect = jax.jit(fault.effect)
    for _ in range(_TRIALS):
        before = _conditions(rng)
        after = effect(before, _strikes(rng, none=True))
        for field in Conditions.__dataclass_fields__:
            require_equal(
                getattr(before, field),
                getattr(after, field),
                f"{field} changes though it does not strike",
            )
    return f"{_TRIALS} blocks left as they were"


def _does_something(fault: Fault) -> str:
    for before, _, after in _trials(fault):
        pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
        if any(bool(jnp.any(a != b)) for a, b in pairs):
            return "conditions change where it strikes"
    require(False, "no condition changes in any block")
    return ""


def _lanes(fault: Fault) -> str:
    trials = _trials(fault)[:8]
    stacked: Any = jax.tree.map(lambda *leaves: jnp.stack(leaves), *trials)
    before, strikes, alone = stacked
    together = jax.jit(jax.vmap(fault.effect))(before, strikes)
    require_equal(alone, together, "a lane beside others differs from the same alone")
    return "8 lanes equal to 8 runs alone"


def _integers(fault: Fault) -> str:
    before, strikes, _ = _trials(fault)[0]
    return must_be_integer(fault.effect, before, strikes)


RULES = (
    Rule("it has a name, and reads keys that a fault may have", _names),
    Rule("it gives conditions of the same shapes and types", _same_shape),
    Rule("conditions stay in range", _in_range),
    Rule("nothing changes where it does not strike", _nothing_without_a_strike),
    Rule("something changes where it strikes", _does_something),
    Rule("the same alone and in a lane", _lanes),
    Rule("integers only", _integers),
)
