"""The world's step: integers alone, one compilation, and nothing created or lost."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jax import lax

from agents import run as runs
from agents.measure.soundness import explain
from agents.step import step
from rollup.chain import unaccounted
from rollup.sequencing import SCHEMES
from rollup.sequencing.composed import Composed
from tests.market.forms.jaxprs import inexact_dtypes, inexact_dtypes_in
from tests.worlds import Watched, begin, small, watched

#: Native kernels that the step may call; a jaxpr does not show what they do inside.
EXCHANGE = {"shakeout_exchange_continuous_block", "shakeout_exchange_auction_block"}
NATIVE = {*EXCHANGE, "shakeout_blake2s"}

#: A composed scheme orders like the named ones (`tests.rollup.sequencing`).
NAMED = [name for name, each in SCHEMES.items() if not isinstance(each, Composed)]


@cache
def jaxpr(policy):
    """The step of a scheme, traced; and the arguments it was traced with."""
    spec, params = small(policy)
    setting, world = begin(spec, params)
    return jax.make_jaxpr(partial(step, guests=None, spec=spec))(
        world, setting, params=params
    )


def equations(body):
    """Every equation of a jaxpr and of all jaxprs inside it."""
    for equation in body.eqns:
        yield equation
        is_inner = lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")  # noqa: E731
        for value in jax.tree.leaves(equation.params, is_leaf=is_inner):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def native_calls(policy):
    return [e for e in equations(jaxpr(policy).jaxpr) if "ffi" in e.primitive.name]


@pytest.mark.parametrize("policy", NAMED)
def test_no_floating_point_type_occurs_anywhere_in_the_step(policy):
    assert inexact_dtypes_in(jaxpr(policy)) == set()


@pytest.mark.parametrize("policy", NAMED)
def test_native_kernels_take_and_give_integers_alone(policy):
    calls = native_calls(policy)
    assert {call.params["target_name"] for call in calls} <= NATIVE
    assert EXCHANGE & {c.params["target_name"] for c in calls}
    for call in calls:
        for variable in [*call.invars, *call.outvars]:
            assert jnp.issubdtype(variable.aval.dtype, jnp.integer), call


@pytest.mark.parametrize(
    "place",
    [
        lambda x: lax.cond(x > 0, lambda y: jnp.int64(y / 3), lambda y: y, x),
        lambda x: lax.fori_loop(0, 3, lambda _, y: jnp.int64(y * 0.5), x),
        lambda x: lax.scan(lambda y, _: (jnp.int64(jnp.sqrt(y)), None), x, length=2)[0],
        jax.jit(lambda x: jnp.int64(jnp.mean(x))),
    ],
    ids=["branch", "loop", "scan", "call"],
)
def test_the_walk_finds_a_float_wherever_it_hides(place):
    assert inexact_dtypes(place, jnp.int64(5))


def test_the_step_compiles_once_over_a_run_and_over_changed_numbers():
    watched()
    programs = runs.advance._cache_size()
    run = Watched(*small())
    for blocks in (1, 1, 3, 40):
        run.advance(blocks)
    other = Watched(
        *small(
            faults=[{"kind": "da_outage", "start": "3s", "duration": "9s"}],
            venue={"initial_margin": 0.08, "taker_fee": 0.002, "insurance": 5},
            populations={"leveraged_traders": {"leverage": 20, "activity": 0.5}},
            sequencer={"gas_fee": 0.5},
            rollup={"posting": "9s"},
        )
    )
    other.advance(2)
    assert runs.advance._cache_size() == programs


share = st.floats(0, 1).map(lambda x: round(x, 4))
moments = st.integers(0, 80).map("{}s".format)
faults = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["sequencer_halt", "da_outage", "prover_delay"]),
            "start": moments,
            "duration": moments,
            "severity": share,
            "chance": st.sampled_from([0.5, 1]),
            "jitter": moments,
            "spread": st.sampled_from([0, 0.7]),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("censorship"),
            "start": moments,
            "duration": moments,
            "severity": share,
            "targets": st.lists(
                st.sampled_from(["market_makers", "leveraged_traders", "liquidators"]),
                min_size=1,
            ),
            "transactions": st.lists(
                st.sampled_from(["order", "cancel", "liquidate", "deposit", "withdraw"])
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["oracle_stuck", "oracle_silence"]),
            "start": moments,
            "duration": moments,
            "severity": share,
            "markets": st.lists(st.sampled_from(["BTC", "SOL"]), max_size=1),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("oracle_manipulation"),
            "start": moments,
            "duration": moments,
            "severity": share,
            "bias": st.sampled_from([-0.9, -0.05, 0.2, 5]),
        }
    ),
)
numbers = st.fixed_dictionaries(
    {
        "venue": st.fixed_dictionaries(
            {
                "insurance": st.sampled_from([0, 1_000, 1_000_000]),
                "initial_margin": st.sampled_from([0.01, 0.05, 0.2]),
                "maker_fee": st.sampled_from([-0.0002, 0, 0.001]),
                "taker_fee": st.sampled_from([0.0003, 0.002]),
                "price_band": st.sampled_from([0.02, 0.1, 0.5]),
                "liquidation": st.fixed_dictionaries({"restart_grace": moments}),
            }
        ),
        "populations": st.fixed_dictionaries(
            {
                "leveraged_traders": st.fixed_dictionaries(
                    {
                        "activity": share,
                        "leverage": st.sampled_from([2, 10, 40]),
                        "max_leverage": st.just(50),
                        "collateral": st.sampled_from([10, 10_000, 50_000]),
                        "go_home": share,
                    }
                ),
                "market_makers": st.fixed_dictionaries(
                    {
                        "size": st.sampled_from([0, 0.05, 2]),
                        "collateral": st.sampled_from([1_000, 500_000]),
                        "half_spread": st.sampled_from([0.00001, 0.0005, 0.05]),
                    }
                ),
                "searchers": st.fixed_dictionaries(
                    {"sandwich": share, "victim_notional": st.just(100)}
                ),
                "liquidators": st.fixed_dictionaries(
                    {"leverage": st.sampled_from([0, 4, 50]), "fee_bid": st.just(50)}
                ),
            }
        ),
        "oracle": st.fixed_dictionaries(
            {"max_age": st.sampled_from([None, "1s", "20s"])}
        ),
        "sequencer": st.fixed_dictionaries(
            {"gas_fee": st.sampled_from([0, 0.01, 100])}
        ),
        "rollup": st.fixed_dictionaries(
            {
                "throttle_backlog": st.integers(0, 2),
                "throttle": share,
                "posting": moments,
                "proving": moments,
            }
        ),
    }
)


@pytest.mark.parametrize("policy", NAMED)
@given(
    numbers=numbers,
    struck=st.lists(faults, max_size=2),
    run=st.integers(0, 1_000_000),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=2),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_created_or_lost_in_any_world(policy, numbers, struck, run, cuts):
    world = Watched(*small(policy, faults=struck, **numbers), run=run)
    for blocks in cuts:
        state = world.advance(blocks)
        status, first = int(state.measures.status), int(state.measures.first_fault)
        assert status == 0, explain(status, first, run)
        assert int(state.measures.error) == 0
        assert int(unaccounted(state.chain)) == 0
        assert int(state.exchange.insurance.min()) >= 0
        owed = state.exchange.withdrawn - state.chain.batches.payouts.unpaid
        assert not owed.any(), "unpaid withdrawals are those of the batches"
        assert int(state.chain.height + state.chain.halted) == int(state.block)
