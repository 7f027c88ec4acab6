"""The lab as a `mesa.Model`: the same world, stepped from Python.

`LabModel.step` advances one block on the visible path: guests (agents in plain Python)
act first, then the same compiled step runs that a fleet scans. `advance(k)` fuses k
blocks. Both reach the state root of the fleet's run. Mesa's activation order decides
nothing here: the sequencer does.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import cast

import jax
import jax.numpy as jnp
import mesa
import numpy as np
from mesa.agent import AgentSet

from agents import views
from agents.families import FAMILIES, GUESTS
from agents.guests import Guests, with_guests
from agents.lab.guest import Guest
from agents.lab.participants import participant_of
from agents.lab.snapshot import Snapshot, snapshot_of
from agents.measure import series
from agents.measure.soundness import explain
from agents.run import RunOutput, advance, output_of, root_of, start
from agents.world import World, WorldParams, WorldSpec
from market.native.jit import jit_step
from market.types.orders import Tx


class LabModel(mesa.Model):
    """One run of a world, with everyone in it as a Mesa agent.

    Attributes:
        spec: shapes of the world, guests included.
        params: its numbers.
        snapshot: the world on the host, made at most once a block.
    """

    def __init__(
        self,
        spec: WorldSpec,
        params: WorldParams,
        *,
        seed: int,
        run: int = 0,
        guests: Sequence[Guests] = (),
    ):
        """Draws the run ``run`` of the experiment with this seed.

        Args:
            spec: shapes of the world.
            params: numbers of the world.
            seed: seed of the experiment.
            run: number of the run.
            guests: groups of agents in plain Python; the world is given accounts for
                those that it does not have already.

        Raises:
            ValueError: the world has a group in plain Python that is not among them.
        """
        super().__init__(rng=np.random.default_rng([seed, run]))
        seated = {group.name for group in spec.guests}
        if unknown := seated - {group.group for group in guests}:
            raise ValueError(f"nobody plays {', '.join(sorted(unknown))}")
        newcomers = [group for group in guests if group.group not in seated]
        spec, params = with_guests(spec, params, newcomers)
        self.spec, self.params = spec, params
        self._setting, self._world = start(
            jnp.int64(seed), jnp.int64(run), params, spec=spec
        )
        self._snapshot: Snapshot | None = None
        self.run = run
        self._fill({group.group: group for group in guests})

    def _fill(self, guests: Mapping[str, Guests]) -> None:
        """Gives every account its agent."""
        for group in self.spec.groups:
            guest = guests.get(group.name)
            kind = guest.kind if guest else participant_of(group.code)
            for account in range(group.first, group.first + group.count):
                agent = kind(self, account)
                for name, value in (guest.numbers if guest else {}).items():
                    setattr(agent, name, value)

    def step(self) -> None:
        """One block: the guests act, then the world advances."""
        self._world = advance(
            self._world,
            self._setting,
            self._collect(),
            self.params,
            jnp.int64(1),
            spec=self.spec,
        )
        self._snapshot = None

    def advance(self, blocks: int) -> None:
        """Several blocks at once; a world with guests goes one by one."""
        if self.spec.guests:
            for _ in range(blocks):
                self.step()
            return
        self._world = advance(
            self._world,
            self._setting,
            None,
            self.params,
            jnp.int64(blocks),
            spec=self.spec,
        )
        self._snapshot = None
        self.steps += blocks

    @property
    def world(self) -> World:
        """The state on the device."""
        return self._world

    @property
    def snapshot(self) -> Snapshot:
        """The state on the host; one transfer a block."""
        if self._snapshot is None:
            self._snapshot = snapshot_of(
                self._world, self._setting, self.params, spec=self.spec
            )
        return self._snapshot

    @cached_property
    def group_names(self) -> list[str]:
        """The name of each account's group."""
        return [group.name for group in self.spec.groups for _ in range(group.count)]

    @property
    def state_root(self) -> str:
        """The state root as 64 hex digits, words little-endian."""
        words = np.asarray(_root(self._world))
        return words.astype("<u4").tobytes().hex()

    def result(self) -> RunOutput:
        """Metrics of the run so far, without time series."""
        return _result(self._world, self._setting, self.params, spec=self.spec)

    def sample(self) -> dict[str, np.ndarray]:
        """One row of every time series, by the names of `SERIES`."""
        row = _sample(self._world, self._setting, self.params, spec=self.spec)
        return jax.device_get(row)

    def check(self) -> None:
        """Raises where the run is not sound.

        Raises:
            ArithmeticError: a conservation law failed; says which, in which block.
        """
        status = int(self._world.measures.status)
        if status:
            block = int(self._world.measures.first_fault)
            raise ArithmeticError(explain(status, block, self.run))

    def participants(self, name: str) -> AgentSet:
        """The agents of one group, or of all groups of one family.

        Raises:
            KeyError: there is no group and no family of that name.
        """
        families = {group.code.name for group in self.spec.populations}
        if name in self.group_names:
            kind = "group"
        elif name in {*FAMILIES, *families, GUESTS}:
            kind = "family"
        else:
            raise KeyError(name)
        return self.agents.select(lambda agent: getattr(agent, kind) == name)

    def _collect(self) -> Tx | None:
        """The guests' transactions, [G, K], sent in the order of their calls."""
        groups = self.spec.guests
        if not groups:
            return None
        members = sum(group.count for group in groups)
        columns = {
            name: np.zeros((members, Guest.INTENTS), np.int64)
            for name in Tx.__dataclass_fields__
        }
        now_us = int(self._world.block) * self.spec.block_us
        for agent in self.agents.select(agent_type=Guest):
            guest = cast(Guest, agent)
            guest.step()
            row = guest.account - groups[0].first
            for place, sent in enumerate(guest.outbox):
                sent_us = now_us + place
                signed = {
                    **sent,
                    "account": guest.account,
                    "sent_us": sent_us,
                    "arrival_us": sent_us + guest.latency_us,
                }
                for name, value in signed.items():
                    columns[name][row, place] = value
            guest.outbox.clear()
        return Tx(**{name: jnp.asarray(column) for name, column in columns.items()})


_root = jax.jit(root_of)


@partial(jit_step, static_argnames="spec")
def _result(world, setting, params, *, spec) -> RunOutput:
    return output_of(world, setting, params, {}, spec=spec)


@partial(jit_step, static_argnames="spec")
def _sample(world, setting, params, *, spec):
    price = views.delayed(setting.path, world.block, jnp.int64(1))
    return series.sample(world, price, params, spec=spec.venue)
