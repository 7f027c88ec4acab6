"""One run of a config as a Mesa model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from agents.guests import Guests
from agents.lab import model
from agents.lab.guest import Guest
from experiments.build import worlds
from experiments.config import load
from experiments.config.errors import ConfigError
from market.numbers.units import QUANTA_PER_USD


class LabModel(model.LabModel):
    """One run of a world, with everyone in it as a Mesa agent.

    `step` advances by one block, `advance` by several; `snapshot` is the world on the
    host, `state_root` its identity. The run has the root that the same run has in an
    experiment, unless guests trade in it.
    """

    @classmethod
    def from_config(
        cls,
        config: str | Path | Mapping[str, Any],
        overrides: Mapping[str, Any] | Sequence[str] = (),
        *,
        seed: int | None = None,
        run: int = 0,
        point: int = 0,
        guests: Sequence[type[Guest]] = (),
        collateral: float = 10_000,
    ) -> Self:
        """The model of one run.

        Args:
            config: a ready scenario's name, a config file, or the config itself.
            overrides: values by dotted key, such as ``{"runs": 1}``.
            seed: seed of the experiment; the config's, if None.
            run: number of the run.
            point: number of the sweep's point.
            guests: classes of agents in plain Python, one account each.
            collateral: what each guest starts with, USD.

        Raises:
            ConfigError: something is wrong with the config, or it has no such point.
        """
        experiment = load(config, overrides)
        if not 0 <= point < len(experiment.points):
            last = len(experiment.points) - 1
            raise ConfigError(f"point {point}: the sweep has points 0 to {last}")
        if guests and collateral <= 0:
            raise ConfigError(f"collateral = {collateral}: guests need some to trade")
        world = worlds.build(experiment.configs)[point]
        quanta = round(collateral * QUANTA_PER_USD)
        own = [
            Guests(kind, count, collateral=quanta)
            for kind, count in Counter(guests).items()
        ]
        return cls(
            world.spec,
            world.params,
            seed=experiment.config.seed if seed is None else seed,
            run=run,
            guests=[*world.guests, *own],
        )
