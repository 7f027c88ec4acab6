"""The lab from outside: everything that a user's own code imports.

Experiments: `load` a config, a ready scenario or a mapping; `run` it into a folder and
read its `Results`.

One world, from Python: `LabModel.from_config` gives a `mesa.Model` of one run, to be
stepped block by block and looked at through its `snapshot`. `Guest` is an agent in
plain Python that trades in it; the agents of the families are `MarketMaker`,
`LeveragedTrader`, `Searcher`, `Liquidator` and `Vault`.

Ideas of one's own, which a config names by import path, ``package.module:Name``:

=============  ==================================================================
`Guest`        an agent in plain Python
`Family`       participants who decide as arrays, from a `View`, in transactions `Tx`
`Metric`       one number of a run, with an accumulator of its own where it needs one
`Scheme`       an ordering scheme: an `Ordering` of the `Waiting` transactions
`Fault`        what fails: an effect on the `Conditions` of a block
`PriceModel`   how the first market's outside price moves
=============  ==================================================================

`shakeout conform package.module:Name` puts such a thing through the checks of its
contract.

Matching alone: `match` replays a stream of messages on one market's book.

A part is imported when it is first asked for, so that ``import shakeout`` takes no
time. How to do it, with complete examples: ``docs/how-to``.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.family import Family, GroupSpec, View
    from agents.guests import Guests
    from agents.intents import lots_for, only, pick, stacked, transactions
    from agents.lab.guest import Guest
    from agents.lab.participants import (
        LeveragedTrader,
        Liquidator,
        MarketMaker,
        Searcher,
        Vault,
    )
    from agents.lab.snapshot import Snapshot
    from agents.measure.contract import Metric, Reading, Seen
    from experiments.config import Config, Experiment, load
    from experiments.config.errors import ConfigError
    from market.match import match
    from market.numbers.declared import duration, ratio, usd, whole
    from market.numbers.quantiles import log_normal
    from market.numbers.randomness import (
        bernoulli_ppm,
        split_word,
        uniform_int,
        words_of,
    )
    from market.numbers.units import PPM
    from market.prices.model import PriceModel
    from market.types.orders import Flag, Kind, Receipt, Status, Tx
    from market.types.state import BookState
    from rollup.faults.contract import Conditions, Fault, Strikes
    from rollup.sequencing.composed import composed
    from rollup.sequencing.contract import (
        Clock,
        Mode,
        Ordering,
        Scheme,
        SenderOrder,
        SequencerParams,
        SequencerSpec,
        Waiting,
    )
    from rollup.sequencing.ranking import (
        arrived,
        by_key,
        by_time,
        charge_senders,
        first_of,
        ready,
    )
    from rollup.sequencing.stateless import stateless
    from shakeout.lab import LabModel
    from shakeout.results import Results, run

#: Every public name, by the module that it is defined in.
_NAMES = {
    "agents.family": ("Family", "GroupSpec", "View"),
    "agents.guests": ("Guests",),
    "agents.intents": ("lots_for", "only", "pick", "stacked", "transactions"),
    "agents.lab.guest": ("Guest",),
    "agents.lab.participants": (
        "LeveragedTrader",
        "Liquidator",
        "MarketMaker",
        "Searcher",
        "Vault",
    ),
    "agents.lab.snapshot": ("Snapshot",),
    "agents.measure.contract": ("Metric", "Reading", "Seen"),
    "experiments.config": ("Config", "Experiment", "load"),
    "experiments.config.errors": ("ConfigError",),
    "market.match": ("match",),
    "market.numbers.declared": ("duration", "ratio", "usd", "whole"),
    "market.numbers.quantiles": ("log_normal",),
    "market.numbers.randomness": (
        "bernoulli_ppm",
        "split_word",
        "uniform_int",
        "words_of",
    ),
    "market.numbers.units": ("PPM",),
    "market.prices.model": ("PriceModel",),
    "market.types.orders": ("Flag", "Kind", "Receipt", "Status", "Tx"),
    "market.types.state": ("BookState",),
    "rollup.faults.contract": ("Conditions", "Fault", "Strikes"),
    "rollup.sequencing.composed": ("composed",),
    "rollup.sequencing.contract": (
        "Clock",
        "Mode",
        "Ordering",
        "Scheme",
        "SenderOrder",
        "SequencerParams",
        "SequencerSpec",
        "Waiting",
    ),
    "rollup.sequencing.ranking": (
        "arrived",
        "by_key",
        "by_time",
        "charge_senders",
        "first_of",
        "ready",
    ),
    "rollup.sequencing.stateless": ("stateless",),
    "shakeout.lab": ("LabModel",),
    "shakeout.results": ("Results", "run"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for.

    Raises:
        shakeout.namesakes.ShadowedError: somebody else's module stands before one of
            the lab's packages.
    """
    if name == "__version__":
        from importlib.metadata import version

        return version("shakeout")
    if name not in _HOMES:
        raise AttributeError(f"module 'shakeout' has no name {name!r}")
    from shakeout.namesakes import check_packages

    check_packages()
    from experiments.fleet import environment

    environment.prepare()  # before JAX is imported: programs are kept on disk
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted([*_HOMES, "__version__"])
