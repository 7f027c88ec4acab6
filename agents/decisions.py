"""Deciding: everyone's transactions of one block, dated by the network."""

from typing import Any, NamedTuple

from jax import Array

from agents import network, views
from agents.family import GroupSpec, Pending
from agents.homes import kept_home
from agents.views import Public, Trend
from agents.world import Setting, World, WorldParams, WorldSpec
from market.numbers.randomness import draw_words
from market.types.orders import Tx
from rollup.chain import ChainParams
from rollup.mempool import arriving, concatenate, joined
from rollup.sequencing.contract import Clock


class Decided(NamedTuple):
    """What the groups decided in a block.

    Attributes:
        memories: of the groups after it, by name.
        offered: [X] transactions sent, in the order of those who sent them.
        heard_us: when each member's last message arrives, by name of the group.
        trends: of the outside price as each group sees it, by name.
        public: what everyone saw.
    """

    memories: dict[str, Any]
    offered: Tx
    heard_us: dict[str, Array]
    trends: dict[str, Trend]
    public: Public


def decide(
    key: Array,
    world: World,
    setting: Setting,
    guests: Tx | None,
    params: WorldParams,
    *,
    spec: WorldSpec,
) -> Decided:
    """Lets every group decide: first those who cannot see the mempool.

    Args:
        key: key of the block.
        world: the state before the block.
        setting: the run's constants.
        guests: [G, K] transactions of agents in plain Python; None without any.
        params: the numbers.
        spec: the shapes.
    """
    now_us = world.block * spec.block_us
    clock = views.Clock(world.block, world.chain.height, now_us, spec.block_us)
    public = views.public_of(world.exchange, params.venue, clock, spec=spec.venue)
    trends = _follow(world, setting, params)
    ways = draw_words(key, network.STREAM, (spec.venue.accounts, 2))
    memories: dict[str, Any] = {}
    heard_us: dict[str, Array] = {}
    sent: list[Tx] = []

    def let(group: GroupSpec, pending: Pending | None) -> None:
        numbers = params.groups[group.name]
        price = views.delayed(setting.path, world.block, numbers.latency.data_blocks)
        view = views.view_of(group, public, price, trends[group.name], pending)
        memories[group.name], intents = group.code.act(
            group.key(key),
            world.memories[group.name],
            view,
            numbers.numbers,
            spec=group,
        )
        intents = kept_home(intents, spec.venue)
        messages, heard_us[group.name] = network.sent(
            intents,
            numbers.latency,
            ways[group.rows],
            world.heard_us[group.name],
            now_us,
            spec.block_us,
        )
        sent.append(messages)

    for group in spec.populations:
        if not group.code.watches:
            let(group, None)
    if guests is not None:
        sent.append(guests)
    unseen = concatenate(*sent)
    for group in spec.populations:
        if group.code.watches:
            let(group, visible(world, unseen, group, params.chain, spec=spec))
    return Decided(memories, concatenate(*sent), heard_us, trends, public)


def _follow(world: World, setting: Setting, params: WorldParams) -> dict[str, Trend]:
    """Each group's averages of the price that it sees, as old as its data."""
    trends = {}
    for name, trend in world.trends.items():
        age = params.groups[name].latency.data_blocks
        now = views.delayed(setting.path, world.block, age)
        before = views.delayed(setting.path, world.block, age + 1)
        trends[name] = views.follow(trend, before, now)
    return trends


def visible(
    world: World,
    sent: Tx,
    viewer: GroupSpec,
    params: ChainParams,
    *,
    spec: WorldSpec,
) -> Pending | None:
    """What the ordering scheme shows a group of what waits and was just sent."""
    scheme, state = spec.chain.scheme, world.chain
    new = arriving(sent, None, scheme.replicas, scheme.notes)
    now_us = world.block * spec.block_us
    shown = scheme.show(
        state.scheme,
        joined(state.waiting, new),
        Clock(world.block, state.height, now_us, spec.block_us),
        viewer.number,
        params.sequencer,
    )
    return None if shown is None else Pending(txs=shown)
