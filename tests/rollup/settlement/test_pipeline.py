"""Batches are posted, proven and settled in order; withdrawals pay with their batch."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.randomness import run_key
from market.numbers.units import PPM, as_int
from rollup.faults.windows import draw_windows
from rollup.settlement import payouts
from rollup.settlement import pipeline as batches
from rollup.settlement.stages import POSTED, PROVEN, SETTLED, BatchParams
from tests.rollup.faults.test_windows import conditions, faults

BLOCK = 1_000_000
ACCOUNTS, ROOM = 2, 32


@jax.jit
def advance(state, windows, params, now_us, elapsed_us):
    return batches.advance(
        state, conditions(windows, now_us), params, now_us, elapsed_us
    )


SEAL = jax.jit(batches.seal)
ASK = jax.jit(batches.request_payouts)
FAILS = {POSTED: "da_outage", PROVEN: "prover_delay"}


def numbers(post=3, prove=5, settle=2, prove_tx_us=0, backlog=0, throttle_ppm=PPM):
    """Seconds of work of each stage."""
    return BatchParams(
        posting_us=as_int(post * BLOCK),
        proving_us=as_int(prove * BLOCK),
        proving_tx_us=as_int(prove_tx_us),
        settling_us=as_int(settle * BLOCK),
        throttle_backlog=as_int(backlog),
        throttle_ppm=as_int(throttle_ppm),
    )


def outage(kind, start, seconds, severity_ppm=PPM):
    return {
        "kind": kind,
        "start_us": start * BLOCK,
        "duration_us": seconds * BLOCK,
        "severity_ppm": severity_ppm,
    }


def run(seconds, sealed, params=None, *rows, withdrawn=None):
    """The pipeline second by second: its state after each.

    Args:
        seconds: how long.
        sealed: seconds at whose end a batch is sealed, with its transactions.
        params: numbers of the stages.
        rows: up to two faults.
        withdrawn: second -> quanta by account.
    """
    params = params or numbers()
    idle = [outage("da_outage", 0, 0)] * (2 - len(rows))
    windows = draw_windows(run_key(0, 0), faults(*rows, *idle))
    state, states = batches.open_batches(ROOM, ACCOUNTS), []
    for second in range(seconds):
        now = jnp.int64(second * BLOCK)
        state = advance(state, windows, params, now, jnp.int64(BLOCK))
        asked = (withdrawn or {}).get(second, [0] * ACCOUNTS)
        requests = jnp.int64(sum(quanta > 0 for quanta in asked))
        state = ASK(state, as_int(asked), requests, now)
        if second in sealed:
            txs = sealed[second] if isinstance(sealed, dict) else 0
            state = batches.replace(state, open_txs=jnp.int64(txs))
            root = jnp.full((8,), second, jnp.uint32)
            state = SEAL(state, root, jnp.int64((second + 1) * BLOCK), jnp.bool_(True))
        states.append(state)
    return states


def times(state, stage):
    """Seconds at which each batch passed the stage."""
    passed = np.asarray(state.stage_us)[stage]
    return (passed[passed >= 0] / BLOCK).tolist()


def test_a_batch_takes_the_time_of_each_stage_after_it_is_sealed():
    end = run(30, [4])[-1]
    assert int(end.sealed_us[0]) == 5 * BLOCK
    assert times(end, POSTED) == [8]
    assert times(end, PROVEN) == [13]
    assert times(end, SETTLED) == [15]


def test_transactions_make_a_proof_longer():
    end = run(30, {4: 2_000}, numbers(prove_tx_us=1_000))[-1]
    assert times(end, PROVEN) == [8 + 5 + 2]


def test_each_stage_works_on_one_batch_at_a_time():
    end = run(40, [0, 1, 2])[-1]
    assert times(end, POSTED) == [4, 7, 10]
    assert times(end, PROVEN) == [9, 14, 19]
    assert times(end, SETTLED) == [11, 16, 21]


def test_idle_time_is_not_saved_up_for_a_later_batch():
    early, late = run(20, [0])[-1], run(40, [20])[-1]
    assert times(late, SETTLED)[0] - 21 == times(early, SETTLED)[0] - 1


def test_a_da_outage_holds_back_posting_and_what_follows_by_its_length():
    down = outage("da_outage", 2, 10)
    calm, struck = run(40, [0])[-1], run(40, [0], None, down)[-1]
    for stage in (POSTED, PROVEN, SETTLED):
        assert times(struck, stage)[0] - times(calm, stage)[0] == 10


def test_half_an_outage_halves_the_speed():
    down = outage("da_outage", 0, 40, severity_ppm=500_000)
    assert times(run(40, [0], None, down)[-1], POSTED) == [1 + 6]


def test_a_prover_delay_leaves_posting_alone():
    down = outage("prover_delay", 0, 20)
    end = run(40, [0], None, down)[-1]
    assert times(end, POSTED) == [4]
    assert times(end, PROVEN) == [25]


def test_blocks_are_throttled_while_the_data_backlog_is_long():
    params = numbers(post=10, backlog=2, throttle_ppm=250_000)
    room = [
        int(batches.room_ppm(state, params)) for state in run(26, [0, 1, 2], params)
    ]
    # Two batches wait from the end of second 1 until the second one is posted in 20.
    assert room == [PPM] + [250_000] * 19 + [PPM] * 6


def test_a_backlog_of_zero_never_throttles():
    params = numbers(post=100, backlog=0, throttle_ppm=1)
    assert int(batches.room_ppm(run(5, [0, 1, 2], params)[-1], params)) == PPM


def test_a_withdrawal_pays_when_its_batch_settles_and_not_before():
    states = run(30, [4], withdrawn={2: [700, 0]})
    unpaid = [int(state.payouts.unpaid[0]) for state in states]
    # Asked in second 2, sealed at 5, settled at 15: the end of second 14.
    assert unpaid == [0] * 2 + [700] * 12 + [0] * 16
    end = states[-1].payouts
    assert int(end.paid) == 700 and int(end.payments) == 1
    assert int(end.delay_us) == 12 * BLOCK


def test_a_withdrawal_after_the_seal_waits_for_the_next_batch():
    states = run(60, [4, 20], withdrawn={5: [700, 0]})
    assert [int(state.payouts.paid) for state in states].index(700) == 30


def test_a_later_withdrawal_postpones_no_earlier_one():
    states = run(60, [4, 20], withdrawn={2: [100, 0], 6: [11, 5]})
    assert [int(state.payouts.paid) for state in states].index(100) == 14
    end = states[-1].payouts
    assert int(end.paid) == 116 and int(end.payments) == 3
    assert int(end.delay_us) == (14 - 2 + 2 * (30 - 6)) * BLOCK


def test_a_quantum_each_second_postpones_nothing():
    asked = {second: [1, 0] for second in range(3, 60)}
    states = run(60, [4, *range(9, 60, 5)], withdrawn={2: [100, 100], **asked})
    first = [state.payouts.unpaid.tolist() for state in states]
    settled = [int(state.done[SETTLED]) for state in states].index(1)
    # Both are paid with the first batch; what came after its seal is still owed.
    assert first[settled - 1] == [100 + settled - 3, 100]
    assert first[settled] == [settled - 4, 0]


def test_each_batch_pays_what_was_asked_for_while_it_was_open():
    rng = np.random.default_rng(6)
    asked = {second: rng.integers(0, 3, ACCOUNTS).tolist() for second in range(90)}
    seals = [4, 11, 30, 31, 32, 33, 50, 70]
    down = outage("prover_delay", 12, 25)
    states = run(90, seals, None, down, withdrawn=asked)
    for second, state in enumerate(states):
        settled = int(state.done[SETTLED])
        last = seals[settled - 1] if settled else -1
        paid = np.array([asked[at] for at in range(90) if at <= last]).sum()
        assert int(state.payouts.paid) == paid, second
        ever = np.array([asked[at] for at in range(second + 1)]).sum(axis=0)
        assert int(state.payouts.unpaid.sum()) == ever.sum() - paid


def test_no_batch_is_sealed_for_which_there_is_no_room_and_no_money_is_lost(
    monkeypatch,
):
    monkeypatch.setattr(payouts, "MOST_WORDS", 1)
    monkeypatch.setattr(payouts, "LEAST_ROWS", 3)
    asked = {second: [1, 2] for second in range(60)}
    down = outage("prover_delay", 0, 40)
    states = run(100, list(range(0, 60, 5)), None, down, withdrawn=asked)
    assert max(int(s.sealed - s.done[SETTLED]) for s in states) == 2
    end = states[-1]
    assert int(end.postponed) > 0 and int(end.sealed + end.postponed) == 12
    for second, state in enumerate(states):
        asked_for = 3 * min(second + 1, 60)
        assert int(state.payouts.paid + state.payouts.unpaid.sum()) == asked_for


def test_a_da_outage_delays_withdrawals():
    down = outage("da_outage", 5, 10)
    calm = run(60, [4], None, withdrawn={2: [700, 0]})[-1].payouts
    struck = run(60, [4], None, down, withdrawn={2: [700, 0]})[-1].payouts
    assert int(struck.delay_us - calm.delay_us) == 10 * BLOCK


def test_a_sealed_batch_keeps_its_root_and_its_transactions():
    end = run(10, {3: 40, 7: 2})[-1]
    assert int(end.sealed) == 2
    assert end.txs[:3].tolist() == [40, 2, 0]
    assert end.root[:3, 0].tolist() == [3, 7, 0]
    assert int(end.open_txs) == 0


@dataclass
class Twin:
    """The three servers in plain Python."""

    work: tuple  # us by stage of one batch
    per_tx: int
    txs: list = field(default_factory=list)
    done: list = field(default_factory=lambda: [0, 0, 0])
    spent: list = field(default_factory=lambda: [0, 0, 0])
    passed: list = field(default_factory=lambda: [[], [], []])

    def advance(self, now, elapsed, failed):
        for stage in (SETTLED, PROVEN, POSTED):
            ready = len(self.txs) if stage == POSTED else self.done[stage - 1]
            if self.done[stage] == ready:
                self.spent[stage] = 0
                continue
            self.spent[stage] += elapsed * (PPM - failed.get(stage, 0)) // PPM
            needed = self.work[stage]
            if stage == PROVEN:
                needed += self.per_tx * self.txs[self.done[stage]]
            if self.spent[stage] >= needed:
                self.spent[stage] -= needed
                self.done[stage] += 1
                self.passed[stage].append(now + elapsed)
                if self.done[stage] == ready:
                    self.spent[stage] = 0


seconds = st.integers(0, 6)


@given(
    work=st.tuples(seconds, seconds, seconds),
    per_tx=st.integers(0, 1_500),
    sealed=st.dictionaries(st.integers(0, 39), st.integers(0, 2_000), max_size=12),
    struck=st.lists(
        st.tuples(
            st.sampled_from(["da_outage", "prover_delay"]),
            st.integers(0, 30),
            st.integers(0, 20),
            st.sampled_from([PPM, 400_000, 333_333]),
        ),
        max_size=2,
    ),
)
@settings(max_examples=25, deadline=None)
def test_the_pipeline_is_three_servers_in_a_row(work, per_tx, sealed, struck):
    rows = [outage(*row) for row in struck]
    params = numbers(*work, prove_tx_us=per_tx)
    end = run(50, sealed, params, *rows)[-1]
    twin = Twin(tuple(s * BLOCK for s in work), per_tx)
    for second in range(50):
        failed = {}
        for stage, kind in FAILS.items():
            hits = [
                severity
                for fault, start, length, severity in struck
                if fault == kind and start <= second < start + length
            ]
            failed[stage] = max(hits, default=0)
        twin.advance(second * BLOCK, BLOCK, failed)
        if second in sealed:
            twin.txs.append(sealed[second])
    assert end.done.tolist() == twin.done
    for stage in (POSTED, PROVEN, SETTLED):
        assert times(end, stage) == [us / BLOCK for us in twin.passed[stage]]
