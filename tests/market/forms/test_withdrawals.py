"""What may be withdrawn: what the venue's margin leaves free, the same on both sides.

The specification alone, so that nothing is compiled; that the other forms equal it is
held by random blocks with withdrawals in `test_twin`, `test_choices`, `test_isolated`.
"""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.numbers.units import PPM, QUANTA_PER_USD
from market.twin.block import open_block, run_continuous_block
from market.twin.funds import free_collateral
from market.twin.lane import Lane, Tx, open_lane
from market.twin.margin import account_equity, account_risk, initial_requirement
from market.types.orders import BUY, SELL, Flag, Kind, Status
from market.venues import VENUES, hyperliquid
from tests.market.forms import exchange_cases as cases
from tests.market.forms.test_twin_alone import errors

USD = QUANTA_PER_USD
A, B, C, D = range(4)
#: Both a hundred dollars; lots of 0.01 dollars of the first, 0.01 of the second.
TICKS = [1_000, 1_000]
VENUE = pytest.mark.parametrize("preset", list(VENUES))


def opened(preset, usd=10_000, isolated=(), fee_ppm=0) -> Lane:
    """Four accounts with as much money each, and a venue without fees."""
    spec, params = VENUES[preset](
        ("BTC", "ETH"), accounts=4, book_capacity=8, isolated=isolated
    )
    numbers = cases.plain(params)
    numbers.maker_fee_ppm = numbers.taker_fee_ppm = fee_ppm
    numbers.oi_upper = [0, 0]
    return open_lane(spec, numbers, [usd * USD] * 4, [0] * 3, TICKS)


def send(lane: Lane, *txs: Tx) -> list[Status]:
    """The next block, with these transactions."""
    fills = run_continuous_block(lane, list(txs), lane.block + 1, 0)
    return [Status(fill.status) for fill in fills]


def order(account, side, lots, market=0, ticks=None, flags=0) -> Tx:
    ticks = ticks or TICKS[market]
    return Tx(Kind.ORDER, account, market, side, ticks, lots, flags)


def withdrawal(account, quanta) -> Tx:
    return Tx(Kind.WITHDRAW, account, lots=quanta)


def trade(lane: Lane, buyer, seller, usd, market=0) -> None:
    """A position worth so much, from one account to the other."""
    lots = usd * USD // (TICKS[market] * lane.multiplier[market])
    sent = [order(seller, SELL, lots, market), order(buyer, BUY, lots, market)]
    assert send(lane, *sent)[1] == Status.FILLED


def reserve(lane: Lane, account: int) -> int:
    """What the venue's rule wants to stay, without open orders; quanta."""
    held, units = lane.position[account], lane.unit
    initial = initial_requirement(lane, held)
    if lane.params.transfer_margin_ppm == 0:
        return initial
    notional = sum(abs(n) * u for n, u in zip(held, units, strict=True))
    return -(-hyperliquid.transfer_margin(initial, notional) // 1)


@VENUE
def test_a_long_of_twice_its_deposit_takes_what_the_equal_short_takes(preset):
    lane = opened(preset)
    trade(lane, A, B, 20_000)
    assert lane.collateral[A] == -10_000 * USD and lane.collateral[B] == 30_000 * USD
    share = {"dydx_v4": "0.02", "starkex": "0.05", "hyperliquid": "0.1"}[preset]
    free = 10_000 * USD - int(20_000 * USD * Fraction(share))
    assert free_collateral(lane, A) == free_collateral(lane, B) == free
    both = [withdrawal(A, 1_000 * USD), withdrawal(B, 1_000 * USD)]
    assert send(lane, *both) == [Status.ACCEPTED] * 2
    # The price rises by a fifth: 13,000 of equity and 5,000, of 24,000 of notional.
    lane.price = [TICKS[0] * 12 // 10, TICKS[1]]
    assert send(lane, withdrawal(A, USD), withdrawal(B, USD)) == [Status.ACCEPTED] * 2
    needed = int(24_000 * USD * Fraction(share))
    assert free_collateral(lane, A) == 13_000 * USD - USD - needed
    assert free_collateral(lane, B) == 5_000 * USD - USD - needed
    for account in (A, B):
        most = free_collateral(lane, account)
        assert send(lane, withdrawal(account, most + 1)) == [Status.NO_FUNDS]
        assert send(lane, withdrawal(account, most)) == [Status.ACCEPTED]
        assert send(lane, withdrawal(account, 1)) == [Status.NO_FUNDS]
    assert errors(lane)["money"] == 0


@VENUE
@settings(deadline=None)
@given(
    sizes=st.tuples(*[st.integers(0, 60_000)] * 2),
    deposit=st.integers(200, 90_000),
    move=st.tuples(*[st.integers(-300, 300)] * 2),
    fee_ppm=st.integers(0, 900),
    resting=st.tuples(st.sampled_from([BUY, SELL]), st.integers(0, 9_000)),
)
def test_what_may_leave_depends_on_equity_and_size_and_not_on_the_side(
    preset, sizes, deposit, move, fee_ppm, resting
):
    lane = opened(preset, fee_ppm=fee_ppm)
    lane.price = [t * (1_000 + m) // 1_000 for t, m in zip(TICKS, move, strict=True)]
    side, size = resting
    open_block(lane, 1, 0)
    lots = [usd * USD // unit for usd, unit in zip(sizes, lane.unit, strict=True)]
    # A mirror: the same equity, every position and every order on the other side.
    for account, sign in ((A, 1), (B, -1)):
        held = [sign * n for n in lots]
        worth = sum(n * u for n, u in zip(held, lane.unit, strict=True))
        lane.position[account] = held
        lane.collateral[account] = deposit * USD - worth
    if size:
        rests = size * USD // lane.unit[0]
        orders = [
            order(a, s, rests, ticks=lane.price[0], flags=int(Flag.POST_ONLY))
            for a, s in ((A, side), (B, -side))
        ]
        statuses = [send(lane, each)[0] for each in orders[:1]]
        free = free_collateral(lane, A)
        send(lane, Tx(Kind.CANCEL_ALL, A, -1))
        assert [send(lane, orders[1])[0]] == statuses
        assert free_collateral(lane, B) == free
        send(lane, Tx(Kind.CANCEL_ALL, B, -1))
    free = free_collateral(lane, A)
    assert free_collateral(lane, B) == free
    before = account_risk(lane, A)
    assert free <= account_equity(lane, A) - reserve(lane, A)
    for account in (A, B):
        accepted = send(lane, withdrawal(account, max(free, 1)))
        assert accepted == [Status.ACCEPTED if free > 0 else Status.NO_FUNDS]
        assert send(lane, withdrawal(account, 1)) == [Status.NO_FUNDS]
        if free > 0:
            # As much as one quantum of rounding for each position may be left over.
            left = account_equity(lane, account) - reserve(lane, account)
            assert 0 <= left <= len(lots)
    after = account_risk(lane, A)
    if preset == "starkex" and free > 0:
        assert after.equity * PPM >= after.required, "the program would not prove it"
    assert after.required == before.required


@VENUE
def test_a_profit_may_be_taken_home_before_it_is_realised(preset):
    lane = opened(preset, usd=1_000)
    trade(lane, A, B, 1_000)
    lane.price = [TICKS[0] * 14 // 10, TICKS[1]]
    assert send(lane, withdrawal(A, 1_200 * USD)) == [Status.ACCEPTED]
    assert lane.collateral[A] == -1_200 * USD and account_equity(lane, A) == 200 * USD
    # The position closes without a debt: what was withdrawn was the account's.
    lots = lane.position[A][0]
    sides = ((C, BUY), (A, SELL))
    orders = [order(who, side, lots, ticks=lane.price[0]) for who, side in sides]
    assert send(lane, *orders)[1] == Status.FILLED
    assert lane.position[A][0] == 0 and lane.collateral[A] == 200 * USD


@VENUE
def test_an_isolated_market_leaves_the_same_free(preset):
    lane = opened(preset, isolated=("ETH",))
    trade(lane, A, B, 20_000, market=1)
    assert free_collateral(lane, A) == free_collateral(lane, B) > 4_000 * USD
    most = free_collateral(lane, A)
    assert send(lane, withdrawal(A, most)) == [Status.ACCEPTED]
    assert lane.collateral[A] < -15_000 * USD


# --- the gate ------------------------------------------------------------------------


def in_debt(lane: Lane, account: int, usd: int = 5) -> None:
    """Takes money off until the account owes so much; it goes to the fund."""
    owed = account_equity(lane, account) + usd * USD
    lane.collateral[account] -= owed
    lane.insurance[0] += owed


@VENUE
def test_only_dydx_v4_closes_its_gate_on_a_position_that_nobody_can_pay_for(preset):
    lane = opened(preset)
    trade(lane, A, B, 500)
    in_debt(lane, A)
    assert send(lane, withdrawal(C, USD)) == [Status.ACCEPTED]
    found = lane.block
    closed = preset == "dydx_v4"
    for _ in range(2):
        status = send(lane, withdrawal(C, USD))[0]
        assert (status == Status.WITHDRAWALS_GATED) is closed
    assert lane.gate_block == [lane.block + 50 if closed else 0, 0, 0]
    lane.collateral[A] += 1_000 * USD
    lane.insurance[0] -= 1_000 * USD
    while lane.block < found + 2 + 50:
        assert (send(lane, withdrawal(C, USD)) == [Status.ACCEPTED]) is not closed
    assert send(lane, withdrawal(C, USD)) == [Status.ACCEPTED]


@VENUE
def test_a_debt_without_a_position_closes_no_gate(preset):
    lane = opened(preset)
    in_debt(lane, A)
    for _ in range(3):
        assert send(lane, withdrawal(C, USD)) == [Status.ACCEPTED]
    assert lane.gate_block == [0, 0, 0]


def test_a_pool_of_collateral_has_a_gate_of_its_own():
    lane = opened("dydx_v4", isolated=("ETH",))
    trade(lane, A, B, 500, market=1)
    in_debt(lane, A)
    send(lane)
    # B is in the isolated pool, C without a position in the shared one.
    assert send(lane, withdrawal(B, USD), withdrawal(C, USD)) == [
        Status.WITHDRAWALS_GATED,
        Status.ACCEPTED,
    ]
    assert lane.gate_block == [0, 0, lane.block + 50]
    lane = opened("dydx_v4", isolated=("ETH",))
    trade(lane, A, B, 500, market=0)
    trade(lane, C, D, 500, market=1)
    in_debt(lane, A)
    send(lane)
    assert send(lane, withdrawal(B, USD), withdrawal(C, USD)) == [
        Status.WITHDRAWALS_GATED,
        Status.ACCEPTED,
    ]


def test_a_transfer_leaves_the_larger_of_initial_margin_and_a_tenth():
    lane = opened("hyperliquid")
    trade(lane, A, B, 20_000)
    assert hyperliquid.transfer_margin(500, 20_000) == 2_000
    assert free_collateral(lane, A) == 8_000 * USD
    lane.params.initial_margin_ppm = [250_000] * 2
    send(lane)
    assert free_collateral(lane, A) == free_collateral(lane, B) == 5_000 * USD
