"""The lab as a `mesa.Model`: the same world, stepped from Python.

`LabModel.step` advances one block on the visible path: guests (agents in plain Python)
act first, then the same compiled step runs that a fleet scans. `advance(k)` fuses k
blocks. Both reach the state root of the fleet's run. Mesa's activation order decides
nothing here: the sequencer does. After the run's last block `running` is false, which
ends Mesa's runners, and a further step is refused.
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
from agents.lab.participants import Member, Participant, participant_of
from agents.lab.post import Post
from agents.lab.snapshot import Snapshot, snapshot_of
from agents.measure import series
from agents.measure.soundness import explain
from agents.run import RunOutput, advance, output_of, root_of, start
from agents.world import World, WorldParams, WorldSpec, check_lots
from market.native.jit import jit_step
from market.types.orders import Tx


class RunOverError(RuntimeError):
    """More blocks were asked for than the run has left."""


class LabModel(mesa.Model):
    """One run of a world, with everyone in it as a Mesa agent.

    Attributes:
        spec: shapes of the world, guests included.
        params: its numbers.
        snapshot: the world on the host, made at most once a block.
        running: whether the run has blocks left.
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
            ValueError: the world has a group in plain Python that is not among them, or
                numbers beyond exact arithmetic.
        """
        super().__init__(rng=np.random.default_rng([seed, run]))
        seated = {group.name for group in spec.guests}
        if unknown := seated - {group.group for group in guests}:
            raise ValueError(f"nobody plays {', '.join(sorted(unknown))}")
        newcomers = [group for group in guests if group.group not in seated]
        spec, params = with_guests(spec, params, newcomers)
        check_lots(spec, params.venue)
        self.spec, self.params = spec, params
        self._setting, self._world = start(
            jnp.int64(seed), jnp.int64(run), params, spec=spec
        )
        self._snapshot: Snapshot | None = None
        self.run = run
        self._made = 0
        self._post = Post(spec, guests)
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

    def register_agent(self, agent: mesa.Agent) -> None:
        """Takes an agent in; everyone with an account came with the world.

        Raises:
            TypeError: a participant is made after that, for whom there is no account.
        """
        if isinstance(agent, Participant) and len(self.agents) >= len(self.group_names):
            raise TypeError(
                f"{type(agent).__name__}: every account of this world has its agent; "
                "name more of them in guests when you make the model"
            )
        super().register_agent(agent)

    def deregister_agent(self, agent: mesa.Agent) -> None:
        """Lets an agent go that is a guest or a stranger.

        Raises:
            TypeError: it is of a family, which decides for all its members.
        """
        if isinstance(agent, Member):
            raise TypeError(
                f"{type(agent).__name__} of account {agent.account} cannot be removed: "
                f"its group {agent.group} decides as arrays; set "
                f"populations.{agent.group}.count in the config, before the run"
            )
        super().deregister_agent(agent)

    def step(self) -> None:
        """One block: the guests act, then the world advances.

        Raises:
            RunOverError: the run has had its last block; nothing has changed.
        """
        self._refuse_more_than_left(1)
        self._make(1, self._collect())

    def advance(self, blocks: int) -> None:
        """Several blocks at once; a world with guests goes one by one.

        Raises:
            RunOverError: the run has fewer blocks left; nothing has changed.
        """
        self._refuse_more_than_left(blocks)
        if self.spec.guests:
            for _ in range(blocks):
                self.step()
            return
        self._make(blocks, None)
        self.steps = self._made

    def _refuse_more_than_left(self, blocks: int) -> None:
        left = self.spec.blocks - self._made
        if blocks > left:
            # Mesa has counted a step that is not made.
            self.steps = self._made
            raise RunOverError(
                f"{blocks:,} more blocks were asked for, and this run has {left:,} of "
                f"its {self.spec.blocks:,} left; set world.blocks for a longer one"
            )

    def _make(self, blocks: int, guests: Tx | None) -> None:
        self._world = advance(
            self._world,
            self._setting,
            guests,
            self.params,
            jnp.int64(blocks),
            spec=self.spec,
        )
        self._snapshot = None
        self._made += blocks
        self.running = self._made < self.spec.blocks

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
        """Lets the guests act; their transactions, [G, K], None without guests."""
        if not self.spec.guests:
            return None
        now_us = self._made * self.spec.block_us
        for agent in self.agents.select(agent_type=Guest):
            guest = cast(Guest, agent)
            guest.step()
            self._post.take(guest, now_us)
        return self._post.sent()


_root = jax.jit(root_of)


@partial(jit_step, static_argnames="spec")
def _result(world, setting, params, *, spec) -> RunOutput:
    return output_of(world, setting, params, {}, spec=spec)


@partial(jit_step, static_argnames="spec")
def _sample(world, setting, params, *, spec):
    price = views.delayed(setting.path, world.block, jnp.int64(1))
    return series.sample(world, price, params, spec=spec.venue)
