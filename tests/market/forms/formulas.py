"""Each formula of margin and liquidation, asked of the three forms by itself.

A form answers with a table: a number for each formula, account and market of one
exchange with random positions. What differs is named by its formula.
"""

from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from numba import njit

from market import exchange
from market.arrays import liquidation as arrays_liquidation
from market.arrays import margin as arrays_margin
from market.arrays.allocation import score_of as arrays_score_of
from market.arrays.entry import enter, read_static
from market.arrays.staged import lots_to_send as arrays_lots_to_send
from market.kernels import allocation, liquidation, margin, staged
from market.numbers.units import QUANTA_PER_USD
from market.twin import allocation as twin_allocation
from market.twin import liquidation as twin_liquidation
from market.twin import margin as twin_margin
from market.twin import staged as twin_staged
from market.types.layout import PARAM_FIELDS
from market.types.specs import Deleveraging, VenueParams, VenueSpec
from tests.market.forms import exchange_cases as cases

#: What is asked of every account and market.
FORMULAS = (
    *("initial_fraction", "risk_factor", "position_maintenance", "account_equity"),
    *("account_required", "account_excess", "initial_requirement", "worst_case_slack"),
    *("maintenance_slack", "bankruptcy_quote", "fillable_ticks", "liquidation_lots"),
    *("lots_to_send", "score_of", "may_move", "may_move_for_less"),
)
#: Lots at most of a liquidation in the second market; in the first there is no cap.
CAP = 40
NOW_US, USED = 1_000_000_000, 700 * QUANTA_PER_USD


class Case(NamedTuple):
    """An exchange with positions in both markets."""

    spec: VenueSpec
    params: VenueParams
    position: np.ndarray  # [A, M]
    cost: np.ndarray
    collateral: np.ndarray  # [A]
    cooldown_us: np.ndarray  # [A]
    ticks: np.ndarray  # [M]


def random_case(seed: int, preset: str, rule: Deleveraging) -> Case:
    """Accounts from rich to bankrupt; every third is without a position."""
    rng = np.random.default_rng(seed)
    spec, params = cases.venue(cases.Venue(preset))
    spec = replace(spec, deleveraging=rule)
    numbers = {"cooldown_waits": rng.integers(2), "liquidation_cooldown_us": 7 * 10**6}
    params = replace(params, **{n: jnp.asarray(int(v)) for n, v in numbers.items()})
    ticks = rng.integers([20_000, 5_000], [90_000, 25_000])
    unit = ticks * np.array(spec.multipliers)
    usd = 10 ** rng.uniform(2, 5.5, (cases.ACCOUNTS, 2)) * QUANTA_PER_USD
    side = rng.choice([-1, 1, 0], (cases.ACCOUNTS, 2), p=[0.45, 0.45, 0.1])
    position = (usd / unit).astype(np.int64) * side
    position[::3, 1] = position[::9] = 0
    cost = (position * unit * rng.uniform(0.8, 1.2, position.shape)).astype(np.int64)
    gross = np.abs(position * unit).sum(axis=1)
    equity = (gross * rng.uniform(-0.02, 0.08, cases.ACCOUNTS)).astype(np.int64)
    until = rng.choice([0, NOW_US - 1, NOW_US + 1, NOW_US + 9 * 10**6], cases.ACCOUNTS)
    money = equity + 7 - (position * unit).sum(axis=1)
    return Case(spec, params, position, cost, money, until, ticks)


def half_of(held: int) -> int:
    """The change that closes half of a position, at least a lot."""
    return -(held - held // 2)


# --- the twin ----------------------------------------------------------------------


def twin_table(case: Case) -> np.ndarray:
    """Answers of the specification [A, M, F]."""
    _, lane = cases.start(
        case.spec, case.params, case.collateral.tolist(), 0, case.ticks.tolist()
    )
    lane.position, lane.cost = case.position.tolist(), case.cost.tolist()
    lane.cooldown_us, lane.now_us = case.cooldown_us.tolist(), NOW_US
    twin_margin.reckon_prices(lane)
    rows = [[_twin_row(lane, a, m) for m in lane.markets] for a in lane.accounts]
    return np.array(rows, np.int64)


def _twin_row(lane, account: int, market: int) -> list[int]:
    risk, held = twin_margin.account_risk(lane, account), lane.position[account][market]
    delta = half_of(held)
    required = twin_margin.position_required(lane, market, held)
    row = [
        lane.fraction[market],
        twin_margin.risk_factor(lane, market, held),
        twin_margin.position_maintenance(lane, market, held),
        risk.equity,
        risk.maintenance,
        -risk.required % 10**6,
        twin_margin.initial_requirement(lane, lane.position[account]),
        twin_margin.worst_case_slack(lane, account, market, 5, 3),
        twin_margin.maintenance_slack(lane, account),
    ]
    if held == 0 or required == 0:
        return [*row, *[0] * (len(FORMULAS) - len(row))]
    quote = twin_liquidation.bankruptcy_quote(lane, account, market, delta)
    moved = [
        twin_margin.may_move(
            lane, risk, twin_margin.with_position(lane, account, market, delta, paid)
        )
        for paid in (quote, quote - 1)
    ]
    return [
        *row,
        quote,
        twin_liquidation.fillable_ticks(lane, account, market),
        twin_liquidation.liquidation_lots(lane, market, abs(held), USED, CAP * market),
        twin_staged.lots_to_send(lane, account, market),
        twin_allocation.score_of(lane, account, market),
        *moved,
    ]


# --- the kernels -------------------------------------------------------------------

_NUMBERS = NamedTuple(
    "_NUMBERS", [(name, np.ndarray) for name in PARAM_FIELDS]
    + [("risk_upper", np.ndarray), ("risk_factor_ppm", np.ndarray)],
)  # fmt: skip


class KernelLane(NamedTuple):
    """What the formulas read of a lane's record, under the names that they use."""

    accounts: int
    markets: int
    margin: int
    deleveraging: int
    now_us: int
    params: tuple
    position: np.ndarray
    cost: np.ndarray
    collateral: np.ndarray
    cooldown_us: np.ndarray
    open_lots: np.ndarray
    open_loss: np.ndarray
    price: np.ndarray
    multiplier: np.ndarray
    unit: np.ndarray
    fraction_ppm: np.ndarray


def kernel_table(case: Case) -> np.ndarray:
    """Answers of the kernels [A, M, F]."""
    accounts, markets = case.position.shape
    spread = lambda row: np.broadcast_to(np.asarray(row), (markets,)).copy()  # noqa: E731
    rows = {name: spread(getattr(case.params, name)) for name in PARAM_FIELDS}
    steps = {
        n: np.array(getattr(case.params, n)) for n in ("risk_upper", "risk_factor_ppm")
    }
    lane = KernelLane(
        accounts,
        markets,
        int(case.spec.margin),
        int(case.spec.deleveraging),
        NOW_US,
        _NUMBERS(**rows, **steps),
        case.position.copy(),
        case.cost.copy(),
        case.collateral.copy(),
        case.cooldown_us.copy(),
        np.zeros((accounts, markets, 2), np.int64),
        np.zeros((accounts, markets), np.int64),
        case.ticks.copy(),
        np.array(case.spec.multipliers),
        np.zeros(markets, np.int64),
        np.zeros(markets, np.int64),
    )
    table = np.zeros((accounts, markets, len(FORMULAS)), np.int64)
    _fill(lane, table)
    return table


@njit(error_model="numpy")
def _fill(lane, table):
    margin.reckon_prices(lane)
    for account in range(lane.accounts):
        for market in range(lane.markets):
            _fill_row(lane, account, market, table[account, market])


@njit(error_model="numpy")
def _fill_row(lane, account, market, row):
    risk, held = margin.account_risk(lane, account), lane.position[account, market]
    delta = -(held - held // 2)
    row[0] = lane.fraction_ppm[market]
    row[1] = margin.risk_factor(lane, market, held)
    row[2] = margin.position_maintenance(lane, market, held)
    row[3], row[4], row[5] = risk.equity, risk.required, risk.excess
    row[6] = margin.initial_requirement(lane, account)
    row[7] = margin.worst_case_slack(lane, account, market, 5, 3)
    row[8] = margin.maintenance_slack(lane, account)
    if held == 0 or row[2] == 0:
        return
    quote = liquidation.bankruptcy_quote(lane, market, held, delta, risk)
    row[9] = quote
    row[10] = liquidation.fillable_ticks(lane, market, held, risk.equity, risk.required)
    row[11] = liquidation.liquidation_lots(lane, market, abs(held), USED, CAP * market)
    row[12] = staged.lots_to_send(lane, account, market, abs(held))[0]
    row[13] = allocation.score_of(lane, account, market)
    for less in range(2):
        lane.position[account, market] += delta
        lane.collateral[account] += quote - less
        row[14 + less] = margin.may_move(lane, account, risk)
        lane.position[account, market] -= delta
        lane.collateral[account] -= quote - less


# --- the arrays --------------------------------------------------------------------


def arrays_table(case: Case) -> np.ndarray:
    """Answers of the arrays [A, M, F]."""
    accounts, markets = case.position.shape
    state, _ = cases.start(
        case.spec, case.params, case.collateral.tolist(), 0, case.ticks.tolist()
    )
    names = {"position": case.position, "cost": case.cost}
    names["cooldown_us"] = case.cooldown_us
    state = replace(state, **{name: jnp.asarray(v) for name, v in names.items()})
    sizes, multipliers = read_static(exchange._static_words(case.spec, 1, False))
    fields = exchange._changing_fields(state)
    numbers = exchange._param_rows(case.params, case.spec)
    prices, told = (state.oracle, state.oracle), (jnp.int64(1), jnp.int64(0), NOW_US)
    lane, env = enter(sizes, multipliers, fields, prices, numbers, told)
    env = arrays_margin.reckon_prices(env, lane.position)
    risk = arrays_margin.account_risk(lane, env)
    table = np.zeros((accounts, markets, len(FORMULAS)), np.int64)
    for market in range(markets):
        held = lane.position[:, market]
        columns = [
            env.fraction[market],
            arrays_margin.risk_factor(env, held, market),
            arrays_margin.position_maintenance(env, held, market),
            *risk,
            arrays_margin.initial_requirement(lane, env, slice(None)),
            _arrays_slack(lane, env, market),
            arrays_margin.maintenance_slack(lane, env),
            *_arrays_liquidation(lane, env, market, risk),
        ]
        for place, column in enumerate(columns):
            table[:, market, place] = column
        flat = (table[:, market, 2] == 0) | (case.position[:, market] == 0)
        table[flat, market, 9:] = 0
    return table


def _arrays_slack(lane, env, market):
    """Of every account."""
    exposure = [
        arrays_margin.worst_exposure(lane, account, market, 5, 3)
        for account in range(env.sizes.accounts)
    ]
    slack = [
        arrays_margin.worst_case_slack(lane, env, account, each)
        for account, each in enumerate(exposure)
    ]
    return jnp.stack(slack)


def _arrays_liquidation(lane, env, market, risk):
    """Quote, limit, lots, lots in stages, score, and two transitions; [A] each."""
    held, everyone = lane.position[:, market], slice(None)
    delta = -(held - held // 2)
    quote = arrays_liquidation.bankruptcy_quote(env, market, held, delta, risk)
    size = abs(held)
    yield quote
    yield arrays_liquidation.fillable_ticks(env, market, held, risk)
    yield arrays_liquidation.liquidation_lots(env, market, held, USED, CAP * market)
    yield arrays_lots_to_send(lane, env, everyone, market, size)[0]
    yield arrays_score_of(lane, env, market)
    position = lane.position.at[:, market].add(delta)
    for less in range(2):
        money = lane.collateral + quote - less
        moved = lane._replace(position=position, collateral=money)
        yield arrays_margin.may_move(lane, moved, env, everyone)


FORMS = {"twin": twin_table, "kernels": kernel_table, "arrays": arrays_table}
