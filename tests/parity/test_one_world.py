"""One run, whatever way it is taken: the same state root, to the bit.

Mesa step by step, Mesa fused, a compiled scan alone, in a batch, in any lane of it, a
recorded run, and its replay.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import run as runs
from agents.lab.model import LabModel
from market.native.jit import jit_step
from market.types.orders import Kind, Status
from rollup.replay import replay
from tests.worlds import BLOCKS, SEED, Watched, lanes, root_text, small, watched

HALT = {"kind": "sequencer_halt", "start": "20s", "duration": "30s"}
CENSOR = {
    "kind": "censorship",
    "start": "10s",
    "duration": "40s",
    "targets": ["liquidators"],
}
#: Three worlds of one program that differ in their numbers.
VARIANTS = (
    small(),
    small(faults=[HALT]),
    small(faults=[CENSOR], venue={"taker_fee": 0.001}),
)


SIMULATE = jit_step(runs.simulate, static_argnames="spec")


def simulate(order):
    """The variants side by side in this order of lanes, each as run 0, 1 or 2."""
    spec = VARIANTS[0][0]
    params = lanes([VARIANTS[k][1] for k in order])
    seeds = jnp.full((len(order),), SEED, jnp.int64)
    return SIMULATE(seeds, jnp.array(order, jnp.int64), params, spec=spec)


@cache
def abreast():
    return jax.device_get(simulate((0, 1, 2)))


@cache
def recorded():
    """The record of the plain small world, and its root."""
    spec, params = small()
    return runs.record(jnp.int64(SEED), jnp.int64(0), params, spec=spec)


def replayed(record):
    spec, params = small()
    root, differing = replay(
        record,
        params.venue,
        params.chain,
        venue=spec.venue,
        rollup=spec.chain,
        block_us=spec.block_us,
    )
    return root_text(root), int(differing)


def test_the_variants_share_one_program():
    assert len({spec for spec, _ in VARIANTS}) == 1


def test_stepping_in_mesa_equals_fused_blocks_and_the_scan():
    stepped, fused = (LabModel(*small(), seed=SEED) for _ in range(2))
    for _ in range(7):
        stepped.step()
    stepped.advance(BLOCKS - 7)
    fused.advance(BLOCKS)
    assert stepped.state_root == fused.state_root
    assert stepped.state_root == root_text(abreast().state_root[0])


def test_every_single_step_counts():
    stepped = LabModel(*small(), seed=SEED)
    roots = []
    for _ in range(12):
        stepped.step()
        roots.append(stepped.state_root)
    assert len(set(roots)) == 12
    assert roots[-1] == watched(blocks=12).root


@pytest.mark.parametrize("lane", range(3))
def test_a_lane_of_many_equals_the_run_alone(lane):
    alone = Watched(*VARIANTS[lane], run=lane)
    alone.advance(BLOCKS)
    assert root_text(abreast().state_root[lane]) == alone.root


def test_the_order_of_lanes_does_not_matter():
    order = (2, 0, 1)
    turned, straight = simulate(order), abreast()
    for place, lane in enumerate(order):
        one = jax.tree.map(lambda leaf, at=place: np.asarray(leaf)[at], turned)
        other = jax.tree.map(lambda leaf, at=lane: np.asarray(leaf)[at], straight)
        jax.tree.map(np.testing.assert_array_equal, one, other)


def test_different_numbers_and_runs_have_different_roots():
    roots = [root_text(root) for root in abreast().state_root]
    assert len(set(roots)) == 3


def test_a_result_read_from_mesa_equals_that_of_the_fleet():
    lab = LabModel(*small(), seed=SEED)
    lab.advance(BLOCKS)
    result = lab.result()
    for name, value in abreast().metrics.items():
        assert int(result.metrics[name]) == int(value[0]), name


def test_the_series_end_at_the_state_of_the_run():
    world, series = watched().world, abreast().series
    assert series["oracle"].shape == (3, BLOCKS // 10, 3)
    assert series["oracle"][0, -1].tolist() == world.exchange.oracle.tolist()
    assert series["volume"][0, -1] == int(world.measures.traded_quote)
    price = watched().setting.path[BLOCKS - 1]
    assert series["fundamental"][0, -1].tolist() == price.tolist()
    halted = series["halted"][1]
    assert halted.tolist() == [0, 0, 10, 20, 30, 30, 30, 30]


def test_the_windows_that_struck_are_reported():
    starts, ends = abreast().fault_start_us, abreast().fault_end_us
    assert (starts[1, 0], ends[1, 0]) == (20_000_000, 50_000_000)
    assert (starts[0] == ends[0]).all()


def test_keeping_a_record_changes_nothing():
    assert root_text(recorded()[1]) == watched().root


def test_a_replay_of_the_record_reaches_the_same_root_and_receipts():
    record, root = recorded()
    assert replayed(record) == (root_text(root), 0)


def test_the_record_holds_what_the_run_executed():
    record, _ = recorded()
    live = np.asarray(record.txs.kind) != Kind.NONE
    chain = watched().world.chain
    assert live.sum() == int(chain.executed + chain.rejected) > 1_000
    charged = np.asarray(record.charge).sum()
    assert charged == 10_000 * live.sum(), "gas alone under fcfs"


def changed(record, name, place, value):
    txs = record.txs
    column = getattr(txs, name).at[place].set(value)
    fields = {**record.__dict__, "txs": type(txs)(**{**txs.__dict__, name: column})}
    return type(record)(**fields)


def filled_place(record):
    """Block and position of an order that filled, early in the run."""
    status = np.asarray(record.receipts.status)
    order = np.asarray(record.txs.kind) == Kind.ORDER
    return tuple(np.argwhere((status == Status.FILLED) & order)[0])


def test_a_forged_transaction_changes_the_root():
    record, root = recorded()
    place = filled_place(record)
    forged = changed(record, "lots", place, int(record.txs.lots[place]) + 1)
    assert replayed(forged)[0] != root_text(root)


def test_a_transaction_left_out_is_noticed_twice():
    record, root = recorded()
    forged, differing = replayed(changed(record, "kind", filled_place(record), 0))
    assert forged != root_text(root)
    assert differing > 0


def test_a_forged_receipt_is_counted_and_a_forged_price_changes_the_root():
    record, root = recorded()
    place = filled_place(record)
    receipts = record.receipts
    column = receipts.filled_quote.at[place].add(1)
    forged = type(receipts)(**{**receipts.__dict__, "filled_quote": column})
    fields = {**record.__dict__, "receipts": forged}
    assert replayed(type(record)(**fields)) == (root_text(root), 1)
    prices = record.reports.at[40].add(3)
    fields = {**record.__dict__, "reports": prices}
    assert replayed(type(record)(**fields))[0] != root_text(root)


def test_one_liquidation_of_a_position_in_a_block_wins_and_the_others_lose():
    record, _ = recorded()
    kinds, status = np.asarray(record.txs.kind), np.asarray(record.receipts.status)
    won = lost = 0
    for block in range(BLOCKS):
        first = {}
        for place in np.flatnonzero(kinds[block] == Kind.LIQUIDATE):
            target = int(record.txs.slot[block, place])
            market = int(record.txs.market[block, place])
            outcome = status[block, place]
            if outcome in (Status.FILLED, Status.PARTIAL):
                assert (target, market) not in first, "liquidated twice in a block"
                first[target, market] = place
                won += 1
            if outcome == Status.ALREADY_LIQUIDATED:
                assert place > first[target, market]
                lost += 1
    assert won > 5 and lost > 5
