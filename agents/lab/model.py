"""The lab as a `mesa.Model`: the same world, stepped from Python.

`LabModel.step` advances one block on the visible path: guests (agents in plain Python)
act first, then the same compiled step runs that a fleet scans. `advance(k)` fuses k
blocks. Both reach the state root of the fleet's run. Mesa's activation order decides
nothing here: the sequencer does.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import mesa
import numpy as np
from jax import Array
from mesa.agent import AgentSet

from agents import views
from agents.families import FAMILY_NUMBERS, GUESTS
from agents.family import FamilySpec
from agents.lab.participants import PARTICIPANTS, Guest
from agents.measure import measures
from agents.run import RunOutput, advance, output_of, root_of, start
from agents.world import Setting, World, WorldParams, WorldSpec
from market.native.jit import jit_step
from market.types.orders import Tx


class Snapshot(NamedTuple):
    """The world on the host between two blocks; NumPy, int64.

    Attributes:
        block: number of the next block.
        height: blocks made; expiry counts in it.
        price: [M] outside price in ticks.
        oracle: [M] oracle price in ticks.
        bid, ask: [M] best quotes in ticks, 0 without.
        collateral, position, open_lots, equity, maintenance, start: by account.
        insurance: quanta in all insurance funds.
        mempool: transactions waiting.
    """

    block: int
    height: int
    price: np.ndarray
    oracle: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    collateral: np.ndarray
    position: np.ndarray
    open_lots: np.ndarray
    equity: np.ndarray
    maintenance: np.ndarray
    start: np.ndarray
    insurance: int
    mempool: int


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
        guests: Sequence[type[Guest]] = (),
    ):
        """Draws the run ``run`` of the experiment with this seed.

        Args:
            spec: shapes of the world without guests (see `with_guests`).
            params: numbers of the world.
            seed: seed of the experiment.
            run: number of the run.
            guests: classes of plain-Python agents, one account each.
        """
        super().__init__(rng=np.random.default_rng([seed, run]))
        self.spec = with_guests(spec, len(guests))
        self.params = params
        self._setting, self._world = start(
            jnp.int64(seed), jnp.int64(run), params, spec=self.spec
        )
        self._snapshot: Snapshot | None = None
        self.run = run
        for family in self.spec.families:
            kinds = guests if family.name == GUESTS else None
            for member, account in enumerate(range(*_rows(family))):
                kind = kinds[member] if kinds else PARTICIPANTS[family.name]
                kind(self, account)

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
            data: dict[str, Any] = jax.device_get(
                _snapshot(self._world, self._setting, self.params, spec=self.spec)
            )
            for name in ("block", "height", "insurance", "mempool"):
                data[name] = int(data[name])
            self._snapshot = Snapshot(**data)
        return self._snapshot

    @property
    def state_root(self) -> str:
        """The state root as 64 hex digits, words little-endian."""
        words = np.asarray(_root(self._world))
        return words.astype("<u4").tobytes().hex()

    def result(self) -> RunOutput:
        """Metrics of the run so far, without time series."""
        return _result(self._world, self._setting, self.params, spec=self.spec)

    def check(self) -> None:
        """Raises where the run is not sound.

        Raises:
            ArithmeticError: a conservation law failed; says which, in which block.
        """
        status = int(self._world.measures.status)
        if status:
            block = int(self._world.measures.first_fault)
            raise ArithmeticError(measures.explain(status, block, self.run))

    def participants(self, family: str) -> AgentSet:
        """The agents of one family.

        Raises:
            KeyError: there is no family of that name.
        """
        kind = {**PARTICIPANTS, GUESTS: Guest}[family]
        return self.agents.select(agent_type=kind)

    def _collect(self) -> Tx | None:
        """The guests' transactions, [G, K], sent in the order of their calls."""
        family = self.spec.guests
        if family is None:
            return None
        columns = {
            name: np.zeros((family.count, Guest.INTENTS), np.int64)
            for name in Tx.__dataclass_fields__
        }
        now_us = int(self._world.block) * self.spec.block_us
        for agent in self.agents.select(agent_type=Guest):
            guest = cast(Guest, agent)
            guest.step()
            row = guest.account - family.first
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


def with_guests(spec: WorldSpec, count: int) -> WorldSpec:
    """The same world with accounts for so many plain-Python agents at the end."""
    if count == 0 or spec.guests:
        return spec
    first = spec.venue.accounts
    family = FamilySpec(GUESTS, count, first, FAMILY_NUMBERS[GUESTS])
    return replace(
        spec,
        venue=replace(spec.venue, accounts=first + count),
        families=(*spec.families, family),
    )


def _rows(family: FamilySpec) -> tuple[int, int]:
    return family.first, family.first + family.count


@partial(jit_step, static_argnames="spec")
def _snapshot(world: World, setting: Setting, params, *, spec) -> dict[str, Array]:
    state = world.exchange
    risk = views.account_risk(state, params.venue, spec.venue)
    ticks, _ = views.best_quotes(state)
    return {
        "block": world.block,
        "height": world.chain.height,
        "price": views.delayed(setting.path, world.block, jnp.int64(0)),
        "oracle": state.oracle,
        "bid": ticks[:, 0],
        "ask": ticks[:, 1],
        "collateral": state.collateral,
        "position": state.position,
        "open_lots": state.open_lots,
        "equity": risk.equity,
        "maintenance": risk.maintenance,
        "start": setting.start,
        "insurance": jnp.sum(state.insurance),
        "mempool": jnp.sum(world.chain.waiting.tx.kind != 0),
    }


_root = jax.jit(root_of)


@partial(jit_step, static_argnames="spec")
def _result(world, setting, params, *, spec) -> RunOutput:
    return output_of(world, setting, params, {}, spec=spec)
