"""One interface to every price model: `price_path`, its spec and its numbers."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from market.numbers.logarithms import log_q32
from market.numbers.randomness import WHOLE_RUN, block_key
from market.numbers.units import PPM
from market.prices.correlated import DrivenParams, driven_paths
from market.prices.crash import CRASH
from market.prices.jump_diffusion import JUMP_DIFFUSION
from market.prices.model import PriceModel
from market.prices.replay import REPLAY
from market.prices.ticks import PriceError, ticks_of_log


@dataclass(frozen=True)
class PriceSpec:
    """What changes the compiled program: the model and the number of markets.

    Attributes:
        model: of the first market.
        markets: number of markets, M; all but the first are driven by it.
    """

    model: PriceModel
    markets: int = 1


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Shocks:
    """Lasting steps of the first market's price, [S] each."""

    at_us: Array  # from this time of the run on
    size_ppm: Array  # above -1,000,000


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class PriceParams:
    """The numbers of a path; a pytree of int64 that a sweep may vary."""

    start_ticks: Array  # of the first market, scalar; a replay starts at its file
    model: Any  # numbers of the model, an instance of `PriceModel.params`
    driven: DrivenParams  # [M - 1]
    shocks: Shocks  # [S]


#: Our models, by the name that a config uses.
MODELS: dict[str, PriceModel] = {
    model.name: model for model in (CRASH, JUMP_DIFFUSION, REPLAY)
}


def price_path(
    key: Array, params: PriceParams, *, spec: PriceSpec, blocks: int, block_us: int
) -> Int[Array, "T M"]:
    """Fundamental prices of a run in ticks per block, all positive.

    Args:
        key: the key of the run (`market.numbers.randomness.run_key`).
        params: numbers of the path.
        spec: the model; static.
        blocks: number of blocks, T; static.
        block_us: length of a block in microseconds; static.
    """
    whole = block_key(key, WHOLE_RUN)
    first = spec.model.path(
        whole, params.start_ticks, params.model, blocks=blocks, block_us=block_us
    )
    first = _shocked(first, params.shocks, block_us)
    if spec.markets == 1:
        return first[:, None]
    others = driven_paths(whole, first, params.driven, block_us=block_us)
    return jnp.concatenate([first[:, None], others], axis=1)


def _shocked(path, shocks, block_us):
    """The path with each shock from its time on; without shocks, the path itself."""
    if shocks.at_us.shape[-1] == 0:
        return path
    steps = log_q32(PPM + shocks.size_ppm) - log_q32(jnp.int64(PPM))
    time = jnp.asarray(np.arange(path.shape[0]) * block_us)
    level = jnp.sum(jnp.where(time[:, None] >= shocks.at_us, steps, 0), axis=1)
    return jnp.where(level == 0, path, ticks_of_log(log_q32(path) + level))


def check_prices(
    params: PriceParams, *, spec: PriceSpec, blocks: int, block_us: int
) -> None:
    """Refuses a run that its prices cannot serve, before anything is compiled.

    Raises:
        PriceError: the file has fewer minutes than the run, or the crash's figures
            cannot be reached in the bars that the run has.
    """
    if blocks < 1 or block_us < 1:
        raise PriceError(f"{blocks} blocks of {block_us} us; both must be 1 or more")
    if params.driven.beta_ppm.shape[-1] != spec.markets - 1:
        raise PriceError(f"{spec.markets} markets need {spec.markets - 1} driven ones")
    spec.model.check(params.model, blocks, block_us)
