"""What holds for every family of the lab, and for any that joins them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.families import FAMILIES
from agents.family import MAX_MEMBERS, Endowment, GroupSpec, Latency
from agents.lab.participants import participant_of
from experiments import config
from experiments.build.populations import group_params
from experiments.config.groups import group_model
from market.numbers.declared import declared_of, key_of
from market.numbers.randomness import Stream, block_key, run_key
from market.types.orders import Kind, Tx
from tests.agents.cases import FIRST, held, view

EVERY = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
MEMBERS = 3


def busy_view():
    """Positions, quotes, somebody in danger: a reason for everyone to act."""
    rows = {key: np.repeat(value, MEMBERS, 0) for key, value in held(0, 40).items()}
    danger = {"danger": [1, 2], "danger_market": [0, 1], "danger_lots": [30, -20]}
    quotes = {"bid": (99_000, 49_000), "ask": (99_500, 49_500)}
    return view(MEMBERS, **rows, **danger, **quotes)


def decided(family, blocks=24):
    """The memory of a group after a few blocks, and its intents in each of them."""
    spec = GroupSpec(family, "some", MEMBERS, FIRST, number=0)
    params = group_params(group_model(family).model_validate({})).numbers
    key, seen = run_key(7, 0), busy_view()
    memory = family.init(spec.key(key), params, seen.collateral, spec=spec, markets=2)
    act = jax.jit(lambda key, memory: family.act(key, memory, seen, params, spec=spec))
    intents = []
    for block in range(blocks):
        memory, sent = act(spec.key(block_key(key, block)), memory)
        intents.append(sent)
    return memory, intents


@EVERY
def test_it_sends_its_intents_from_its_own_accounts_in_integers(family):
    memory, blocks = decided(family)
    own = np.arange(FIRST, FIRST + MEMBERS)[:, None]
    somebody = False
    for sent in blocks:
        assert isinstance(sent, Tx)
        live = np.asarray(sent.kind) != Kind.NONE
        assert live.shape == (MEMBERS, family.intents)
        assert (np.asarray(sent.account) == own)[live].all()
        assert all(leaf.dtype == jnp.int64 for leaf in jax.tree.leaves(sent))
        somebody |= live.any()
    assert somebody, "this view gives a reason to act"
    for leaf in jax.tree.leaves(memory):
        assert jnp.issubdtype(leaf.dtype, jnp.integer)


@EVERY
def test_its_declared_defaults_make_a_group(family):
    numbers = group_params(group_model(family).model_validate({}))
    assert isinstance(numbers.numbers, family.params)
    for leaf in jax.tree.leaves(numbers):
        assert leaf.dtype == np.int64 and leaf.shape == ()
    every = declared_of(family.params) | declared_of(Endowment) | declared_of(Latency)
    assert set(family.defaults) <= {key_of(name) for name in every} | {"count"}
    assert all(number.what for number in every.values())


@EVERY
def test_a_group_of_it_survives_a_round_trip(family):
    another = {"family": family.name, "count": 1}
    document = {"populations": {"others": another}}
    if family.is_backstop:
        document["venue"] = {"preset": "hyperliquid"}
    experiment = config.expand(document)
    again = config.expand(experiment.as_document())
    assert again.hash == experiment.hash
    assert again.config.populations == experiment.config.populations


def test_names_titles_and_streams_are_their_own():
    for attribute in ("name", "title", "words"):
        values = [getattr(family, attribute) for family in FAMILIES.values()]
        assert len(set(values)) == len(values), attribute
    registered = {family.words for family in FAMILIES.values()}
    assert registered <= set(Stream), "a family of the lab registers its stream"


@EVERY
def test_it_has_an_agent_class_of_its_own(family):
    kind = participant_of(family)
    assert kind.family == family.name
    assert kind is participant_of(family), "one class a family"
    assert 1 <= family.most <= MAX_MEMBERS
