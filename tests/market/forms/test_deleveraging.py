"""Each rule of deleveraging in the exchange block, by hand.

One lot of BTC at 60,000 is 6 dollars. Alice's long is marked; Bob, Carol and Dave hold
the other side. The properties (c) and (d) are those of Chitra et al., arXiv 2512.01112.
"""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numba import njit

from market.kernels.allocation import take_capped
from market.numbers.units import QUANTA_PER_USD as USD
from market.types.specs import Deleveraging
from market.types.state import open_exchange
from market.venues.dydx_v4.preset import dydx_v4
from tests.market.forms import exchange_cases as cases
from tests.market.venues import rule_cases

ALICE, BOB, CAROL, DAVE, VAULT = range(5)
TICKS = 57_000
UNIT = TICKS * 100


class Close:
    """A block in which Alice's long of ``held`` lots is deleveraged.

    Args:
        rule: who gives.
        shorts: lots of the others.
        entries: their entry prices in ticks.
        usd: their equity in dollars.
        debt: Alice's, in quanta.
        held: lots of Alice; the rest of the shorts' other side is the last account's.
        vault: account that pays what is left.
        previous: the mark of the block before.
        seed: random word.
    """

    def __init__(
        self,
        rule,
        shorts=(400, 400, 400),
        entries=(60_000, 60_000, 60_000),
        usd=(1_000, 1_000, 1_000),
        debt=100 * USD,
        held=600,
        vault=-1,
        previous=TICKS,
        seed=0,
    ):
        accounts = len(shorts) + 2
        spec, params = dydx_v4(("BTC",), accounts=accounts, book_capacity=3)
        spec = replace(spec, deleveraging=rule, vault=vault)
        rest = sum(shorts) - held
        position = np.array([held, *(-lots for lots in shorts), rest])
        cost = position * 100 * np.array([60_000, *entries, 60_000])
        equity = np.array([-debt, *(d * USD for d in usd), 10_000 * USD])
        money = jnp.asarray(equity - position * UNIT)
        state = open_exchange(spec, money, jnp.asarray(0), jnp.array([TICKS]))
        pending = jnp.zeros((accounts, 1), jnp.int64).at[ALICE, 0].set(1)
        self.before = replace(
            rule_cases.at_prices(spec, state, [TICKS], [previous]),
            position=jnp.asarray(position)[:, None],
            cost=jnp.asarray(cost)[:, None],
            adl_pending=pending,
        )
        run = rule_cases.compiled(spec, False, "native")
        word = jnp.asarray(seed)
        self.after, _, self.info = run(
            self.before, cases.columns([]), jnp.asarray(1), word, params
        )
        moved = self.after.position - self.before.position
        self.taken = moved[1:-1, 0].tolist()
        self.left = int(self.after.position[ALICE, 0])
        self.equity = self.after.collateral + self.after.position[:, 0] * UNIT
        lost = (self.equity - equity).tolist()
        assert sum(lost) == 0 and int(self.after.position.sum()) == 0
        self.lost = [-x for x in lost[1:-1]]


def test_the_walk_starts_at_a_random_holder_and_goes_round():
    walk = Deleveraging.RANDOM_WALK
    assert Close(walk, seed=0).taken == [400, 200, 0]
    assert Close(walk, seed=1).taken == [0, 400, 200]
    assert Close(walk, seed=2 + 3 * 7).taken == [200, 0, 400]


def test_the_walk_looks_at_no_more_than_500_holders():
    many = (1,) * 510
    close = Close(
        Deleveraging.RANDOM_WALK, many, (60_000,) * 510, (1_000,) * 510, held=505
    )
    assert close.left == 5 and sum(close.taken) == 500


def test_the_hyperliquid_queue_goes_by_profit_ratio_times_leverage():
    # Entry / mark is 60/57 for all but Carol (63/57); leverage 2.28 but Dave's 2.85.
    rule, entries = Deleveraging.HYPERLIQUID, (60_000, 63_000, 60_000)
    close = Close(rule, entries=entries, usd=(1_000, 1_000, 800))
    assert close.taken == [0, 200, 400]


def test_hyperliquid_closes_at_the_mark_of_the_block_before():
    # 600 lots at 57,200 instead of 57,000: two cents a lot.
    close = Close(Deleveraging.HYPERLIQUID, previous=57_200)
    assert close.taken == [400, 200, 0]
    assert close.lost == [8 * USD, 4 * USD, 0]
    # Alice owed 100 dollars and is bought out for 12 more than the mark.
    assert int(close.equity[ALICE]) == -88 * USD
    assert close.info.deleveraging_loss == 12 * USD


def test_what_the_previous_mark_leaves_negative_the_vault_pays_as_far_as_it_can():
    rule = Deleveraging.HYPERLIQUID
    alone = Close(rule)
    assert int(alone.equity[ALICE]) == -100 * USD and alone.info.backstop_paid == 0
    for usd, paid in ((1_000, 100), (30, 30), (-5, 0)):
        covered = Close(rule, usd=(1_000, 1_000, usd), vault=DAVE)
        assert int(covered.equity[ALICE]) == (paid - 100) * USD
        assert covered.info.backstop_paid == paid * USD


def test_the_binance_queue_goes_by_profit_on_the_wallet_times_the_margin_ratio():
    # Profits of 120, 240 and 120 dollars on wallets of 880, 760 and 300.
    rule, entries = Deleveraging.BINANCE, (60_000, 63_000, 60_000)
    close = Close(rule, entries=entries, usd=(1_000, 1_000, 420))
    assert close.taken == [0, 200, 400]


def test_the_bitmex_queue_divides_losers_by_their_leverage():
    # Bob wins little, Carol loses at high leverage, Dave loses the same at low.
    rule, entries = Deleveraging.BITMEX, (57_100, 56_000, 56_000)
    close = Close(rule, entries=entries, usd=(1_000, 100, 1_000))
    assert close.taken == [400, 200, 0]


def test_pro_rata_takes_the_same_haircut_of_every_profit():
    # Profits of 120, 360 and 240 dollars: 100, 300 and 200 of 600 lots.
    entries = (60_000, 66_000, 63_000)
    close = Close(Deleveraging.PRO_RATA, entries=entries)
    assert close.taken == [100, 300, 200]
    # 100 dollars of debt over 720 of profit, to the quantum.
    assert close.lost == [16_666_666, 50_000_000, 33_333_334]
    assert int(close.equity[ALICE]) == 0


def test_pro_rata_leaves_what_is_over_a_position_to_the_closed_account():
    # Profits 120 and 1,080: 60 and 540 lots, of which Carol has 400.
    close = Close(Deleveraging.PRO_RATA, entries=(60_000, 84_000, 57_000))
    assert close.taken == [60, 400, 0] and close.left == 140
    assert int(close.after.adl_pending[ALICE, 0]) == 1


def test_capped_pro_rata_gives_to_the_others_what_is_over_a_position():
    rule = Deleveraging.CAPPED_PRO_RATA
    # Carol's share of 540 lots is over her 400: Bob gives the rest, 200.
    close = Close(rule, entries=(60_000, 84_000, 57_000))
    assert close.taken == [200, 400, 0] and close.left == 0
    # All winners closed, the rest gives by what it holds.
    close = Close(rule, (100, 400, 800), (60_000, 84_000, 57_000), held=600)
    assert close.taken == [100, 400, 100]


@pytest.mark.parametrize("rule", [Deleveraging.PRO_RATA, Deleveraging.CAPPED_PRO_RATA])
def test_where_nobody_has_a_profit_sizes_decide(rule):
    close = Close(rule, (100, 200, 300), (57_000, 56_000, 50_000), held=60)
    assert close.taken == [10, 20, 30]


def test_contract_pro_rata_floors_and_leaves_the_rest_to_the_closed_account():
    close = Close(Deleveraging.CONTRACT_PRO_RATA, (100, 100, 100), held=200)
    assert close.taken == [66, 66, 66] and close.left == 2
    # The debt goes with the lots that were closed; the rest stays, and is marked.
    assert sum(close.lost) + int(close.equity[ALICE]) + 100 * USD == sum(close.lost) * 2
    assert int(close.after.adl_pending[ALICE, 0]) == 1


def test_contract_pro_rata_gives_fewer_lots_than_holders_by_largest_remainder():
    # Of 2 lots the shares are .5, .75 and .75.
    close = Close(Deleveraging.CONTRACT_PRO_RATA, (100, 150, 150), held=2)
    assert close.taken == [0, 1, 1] and close.left == 0
    assert int(close.after.adl_pending[ALICE, 0]) == 0
    # As many as holders are no dust: the floors give one, and leave two.
    close = Close(Deleveraging.CONTRACT_PRO_RATA, (100, 100, 200), held=3)
    assert close.taken == [0, 0, 1] and close.left == 2


BOOKS = st.tuples(
    st.lists(st.integers(1, 500), min_size=3, max_size=3),
    st.lists(st.integers(57_001, 70_000), min_size=3, max_size=3),
    st.integers(1, 99),
)


@settings(max_examples=25, deadline=None)
@given(BOOKS)
def test_c_splitting_an_account_does_not_change_what_pro_rata_takes(book):
    shorts, entries, percent = book
    shorts = [2 * lots for lots in shorts]
    held = max(sum(shorts) * percent // 100, 1)
    rule, usd = Deleveraging.CAPPED_PRO_RATA, (100_000,) * 3
    whole = Close(rule, (*shorts, 1), (*entries, 50_000), (*usd, 100_000), held=held)
    half = shorts[0] // 2
    split = Close(
        rule,
        (half, half, *shorts[1:]),
        (entries[0], *entries),
        (*usd, 100_000),
        held=held,
    )
    assert abs(split.taken[0] + split.taken[1] - whole.taken[0]) <= 1


def test_c_splitting_an_account_lowers_what_a_queue_takes():
    # Bob's profit on his wallet is the largest of all, until he leaves it with a
    # second account: then each has half the position and the money stays with one.
    rule, entries = Deleveraging.BINANCE, (60_000,) * 4
    whole = Close(rule, (400, 200, 200, 1), entries, (300, 200, 200, 100), held=400)
    split = Close(rule, (200, 200, 200, 200), entries, (400, 139, 200, 200), held=400)
    assert whole.taken[0] == 400
    assert split.taken[0] + split.taken[1] == 200


@settings(max_examples=25, deadline=None)
@given(BOOKS)
def test_d_pro_rata_keeps_the_order_of_the_winners(book):
    shorts, entries, percent = book
    profits = [q * (e - TICKS) * 100 for q, e in zip(shorts, entries, strict=True)]
    held = max(sum(shorts) * percent // 100, 1)
    assume(
        all(p * held <= q * sum(profits) for p, q in zip(profits, shorts, strict=True))
    )
    debt = sum(profits) * percent // 100
    close = Close(
        Deleveraging.PRO_RATA, shorts, entries, (100_000,) * 3, debt=debt, held=held
    )
    assert sum(close.taken) == held and close.left == 0
    a_lot = debt // held + 2
    for i in range(3):
        for j in range(3):
            if profits[i] > profits[j]:
                left = [profits[k] - close.lost[k] for k in (i, j)]
                assert left[0] >= left[1] - a_lot
                assert close.taken[i] >= close.taken[j]


def test_a_share_above_the_cap_by_less_than_a_lot_stays_at_the_cap():
    # 5/9 of 3 lots are 1.67; by largest remainder the first would get 2 of its 1.
    @njit
    def run(weights, caps, amount, taken, rests):
        return take_capped(weights, caps, amount, taken, rests)

    weights, caps = np.array([5, 2, 2]), np.array([1, 5, 5])
    taken, rests = np.zeros(3, np.int64), np.zeros(3, np.int64)
    assert run(weights, caps, 3, taken, rests) == 0
    assert taken.tolist() == [1, 1, 1]
