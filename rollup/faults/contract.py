"""What a fault is, and the conditions under which a block is made.

A fault says what it does to the `Conditions` of a block; whoever works under them, be
it the sequencer, a stage of settlement or an oracle reporter, reads the conditions and
knows of no fault. A kind of fault is one `Fault` record: its keys in a config, their
checks, its line in the docs and its label in a report come from there.

Axes: F faults of an experiment, M markets, N oracle reporters. All arrays are int64
unless they say bool.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from market.numbers.units import PPM

#: Keys of a config that a kind of fault may read, beside those of time and chance.
KEYS = ("severity", "targets", "transactions", "bias", "markets")
#: What the stages of settlement rely on, and a fault may slow.
RESOURCES = ("data", "prover", "l1")


class Strikes(NamedTuple):
    """The faults of one kind as they strike a block; [F], of no effect elsewhere.

    Attributes:
        struck: bool: the fault is of this kind and strikes now.
        severity_ppm: 1,000,000 is total; 0 where it does not strike.
        targets: bit mask over the numbers of groups whose transactions it concerns.
        transactions: bit mask over `market.types.orders.Kind`; these too.
        bias_ppm: signed: by how much reports are off.
        markets: bit mask of the markets that it concerns.
        since_us: for how long it has struck as the block starts.
    """

    struck: Array
    severity_ppm: Array
    targets: Array
    transactions: Array
    bias_ppm: Array
    markets: Array
    since_us: Array

    def worst_ppm(self) -> Array:
        """The severity of the most severe, 0 where none strikes; []."""
        return jnp.max(self.severity_ppm, initial=0)

    def reporters(self, markets: int, reporters: int) -> Array:
        """Which oracle reporters each fault strikes; bool [F, M, N].

        Its severity is the share of them: the nearest whole number, a half counting
        up, and always the first ones by number, so that the same share strikes the
        same reporters in every block and every run.
        """
        count = (self.severity_ppm * reporters * 2 + PPM) // (2 * PPM)
        where = (self.markets[:, None] >> jnp.arange(markets)) & 1 > 0
        who = jnp.arange(reporters) < count[:, None]
        return self.struck[:, None, None] & where[:, :, None] & who[:, None, :]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Censor:
    """Whom the sequencer passes over: a rule of each fault, [F].

    A transaction is concerned if its sender's group is among the targets or its kind
    among the transactions; of those, a share is passed over.
    """

    targets: Array  # bit mask over numbers of groups
    transactions: Array  # bit mask over `market.types.orders.Kind`
    share_ppm: Array  # 0: nobody

    def passes_over(self, group: Array, kind: Array, luck: Array) -> Array:
        """Which transactions are censored; bool [Q].

        Args:
            group: [Q] number of the sender's group.
            kind: [Q] kind of the transaction.
            luck: [Q] a number in [0, 1e6) that stays with the transaction: it is
                passed over where this is below the share.
        """
        chosen = ((self.targets[:, None] >> group) & 1) | (
            (self.transactions[:, None] >> kind) & 1
        )
        hit = (chosen > 0) & (luck < self.share_ppm[:, None])
        return jnp.any(hit, axis=0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How well the parts of a rollup and its oracle work in one block."""

    halted: Array  # [] bool: no block is made
    room_ppm: Array  # [] share of a block's room that can be filled
    censor: Censor
    work_ppm: dict[str, Array]  # [] speed of each of `RESOURCES`, 1,000,000 is full
    bias_ppm: Array  # [M, N] signed: by how much each reporter's reports are off
    stuck: Array  # [M, N] bool: it repeats what it said last
    silent: Array  # [M, N] bool: it says nothing

    def slowed(self, resource: str, by_ppm: Array) -> "Conditions":
        """The same with a resource slower by so much, unless it is slower already."""
        work = jnp.minimum(self.work_ppm[resource], PPM - by_ppm)
        return replace(self, work_ppm={**self.work_ppm, resource: work})


#: (conditions, strikes of this kind) -> the conditions as it leaves them. Several
#: faults strike one after the other, so an effect worsens what it finds.
Effect = Callable[[Conditions, Strikes], Conditions]


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: what a config calls it.
        what: what it does, a clause without a full stop.
        effect: on the conditions of a block; pure and traceable.
        reads: those of `KEYS` that it takes; a config that gives it another is wrong.
        needs: of each of these tuples a config must give at least one key.
        label: what a report calls it; its name in words, if empty.
    """

    name: str
    what: str
    effect: Effect
    reads: tuple[str, ...] = ("severity",)
    needs: tuple[tuple[str, ...], ...] = ()
    label: str = ""

    @property
    def title(self) -> str:
        """What stands over its shade in a report."""
        return self.label or self.name.replace("_", " ")


def calm(faults: int, markets: int, reporters: int) -> Conditions:
    """A block in which all works; for so many faults, markets and reporters."""
    nobody = jnp.zeros((faults,), jnp.int64)
    never = jnp.zeros((markets, reporters), bool)
    full = jnp.asarray(PPM, jnp.int64)
    return Conditions(
        halted=jnp.asarray(False),
        room_ppm=full,
        censor=Censor(targets=nobody, transactions=nobody, share_ppm=nobody),
        work_ppm=dict.fromkeys(RESOURCES, full),
        bias_ppm=jnp.zeros((markets, reporters), jnp.int64),
        stuck=never,
        silent=never,
    )
