"""Breaks one rounding, comparison or tie rule at a time and sees a test fail.

Each mutant patches one piece of source text in a temporary copy of the packages and
runs the tests of that rule there. One that survives means that a rule is not tested.

    python -m tests.mutants            # all
    python -m tests.mutants bankruptcy # those whose name or file has the word
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 300


class Mutant(NamedTuple):
    """One change: in ``file``, ``old`` becomes ``new``; ``tests`` should notice."""

    rule: str
    file: str
    old: str
    new: str
    tests: str


def _of(file: str, tests: str, *rows: tuple[str, str, str]) -> list[Mutant]:
    paths = f"market/{file}.py", f"tests/market/{tests}.py"
    return [Mutant(rule, paths[0], old, new, paths[1]) for rule, old, new in rows]


MUTANTS = [
    *_of(
        "numbers/wide",
        "numbers/test_wide",
        (
            "floor of a negative product",
            "jnp.where(negative, -quotient - (rest > 0), quotient)",
            "jnp.where(negative, -quotient, quotient)",
        ),
        (
            "ceil of a positive product",
            "jnp.where(negative, -quotient, quotient + (rest > 0))",
            "jnp.where(negative, -quotient, quotient)",
        ),
        ("second digit correction", "for _ in range(2):", "for _ in range(1):"),
        ("sign of a high word", "jnp.where(a < 0, b_bits, zero)", "zero"),
        ("low words decide ties", "jnp.where(high != 0, high, low)", "high"),
        (
            "saturation",
            "fits & (quotient <= cap), quotient, cap",
            "fits, quotient, cap",
        ),
        ("toward zero", "return -((-a) // d) if a < 0 else a // d", "return a // d"),
    ),
    *_of(
        "numbers/int256",
        "numbers/test_wide",
        ("sign bit of the order", "flip = np.uint64(1 << 31)", "flip = np.uint64(0)"),
        ("order of the limbs", "lower | (same & (x < y))", "lower | (x < y)"),
        (
            "sign of a shift",
            "fill = jnp.where(self.is_negative(), LOW_32, jnp.uint64(0))",
            "fill = jnp.uint64(0)",
        ),
    ),
    *_of(
        "rules/margin",
        "rules/test_margin",
        (
            "initial requirement is rounded up",
            "return _share_up(abs_notional, larger(",
            "return units.ppm_floor(abs_notional, larger(",
        ),
        (
            "inner ceiling of the maintenance requirement",
            "_share_up(_share_up(abs_notional, initial_ppm), maintenance_ppm)",
            "_share_up(units.ppm_floor(abs_notional, initial_ppm), maintenance_ppm)",
        ),
        (
            "outer ceiling of the maintenance requirement",
            "_share_up(_share_up(abs_notional, initial_ppm), maintenance_ppm)",
            "units.ppm_floor(_share_up(abs_notional, initial_ppm), maintenance_ppm)",
        ),
        ("lower cap is inclusive", "open_notional <= lower", "open_notional < lower"),
        (
            "the ramp is rounded down",
            "base + mul_div_floor(PPM - base,",
            "base - mul_div_floor(base - PPM,",
        ),
        (
            "one from the upper cap on",
            "select(open_notional >= upper, PPM, ramp)",
            "ramp",
        ),
        (
            "upper cap zero is off",
            "upper == 0, open_notional",
            "upper < 0, open_notional",
        ),
        (
            "custom leverage tightens",
            "larger(fraction_ppm, custom_ppm)",
            "fraction_ppm",
        ),
        ("initial test is inclusive", "return nc >= imr", "return nc > imr"),
        (
            "liquidation is strict",
            "both(mmr > 0, mmr > nc)",
            "both(mmr > 0, mmr >= nc)",
        ),
        (
            "no requirement, no liquidation",
            "both(mmr > 0, mmr > nc)",
            "both(mmr >= 0, mmr > nc)",
        ),
        (
            "sign of the risk order",
            "compare_products(nc_b, mmr_a, nc_a, mmr_b)",
            "compare_products(nc_a, mmr_b, nc_b, mmr_a)",
        ),
        (
            "cross products, not magnitudes",
            "compare_products(nc_b, mmr_a, nc_a, mmr_b)",
            "compare_products(abs(nc_b), mmr_a, abs(nc_a), mmr_b)",
        ),
        ("ties by requirement", "_order(mmr_a, mmr_b))", "_order(mmr_b, mmr_a))"),
        ("ties of flat accounts", "_order(nc_b, nc_a)", "_order(nc_a, nc_b)"),
        ("requirement may stay", "both(mmr_new <= mmr_now", "both(mmr_new < mmr_now"),
        ("flat accounts must gain", "nc_new > nc_now)", "nc_new >= nc_now)"),
        (
            "an equal ratio is allowed",
            "compare_risk(nc_new, mmr_new, nc_now, mmr_now) <= 0",
            "compare_risk(nc_new, mmr_new, nc_now, mmr_now) < 0",
        ),
        (
            "open interest counts longs",
            "larger(after_a, 0) + larger(after_b, 0)",
            "abs(after_a) + abs(after_b)",
        ),
    ),
    *_of(
        "rules/liquidation",
        "rules/test_liquidation",
        (
            "bankruptcy price favours the fund",
            "mul_div_floor(tnc, abs(delta_mmr), tmmr)",
            "-mul_div_floor(-tnc, abs(delta_mmr), tmmr)",
        ),
        (
            "bankruptcy price from the whole position",
            "bankruptcy_quote(after - before, mmr_after - mmr_before, tnc, tmmr)",
            "bankruptcy_quote(after - before, -maintenance_requirement(abs(delta) *"
            " notional_per_lot, initial_ppm, maintenance_ppm), tnc, tmmr)",
        ),
        ("sale rounded up", "sell = divide_ceil(", "sell = (lambda a, b: a // b)("),
        (
            "buy rounded down",
            "buy = (abs(notional) + spread) // per_tick",
            "buy = divide_ceil(abs(notional) + spread, per_tick)",
        ),
        (
            "at least one tick",
            "larger(select(lots > 0, sell, buy), 1)",
            "select(lots > 0, sell, buy)",
        ),
        ("the rating is at most one", "PPM, tmmr) >= 0", "PPM, tmmr) > 2"),
        (
            "the remainder of the spread",
            "mul_add_div_floor(gain, quotient, inner, PPM * PPM)",
            "mul_add_div_floor(gain, quotient, 0, PPM * PPM)",
        ),
        (
            "fee cap is rounded down",
            "smaller(quote_delta - bankruptcy, "
            "ppm_floor(abs(quote_delta), max_fee_ppm))",
            "smaller(quote_delta - bankruptcy,"
            " -ppm_floor(-abs(quote_delta), max_fee_ppm))",
        ),
        ("the fund may go to zero", "fund + delta >= 0", "fund + delta > 0"),
        (
            "limits are inclusive",
            "<= rules.max_account_notional",
            "< rules.max_account_notional",
        ),
        ("insurance limit is inclusive", "-delta <= rules.max", "-delta < rules.max"),
        (
            "the minimum is no more than the position",
            "smaller(rules.min_position_notional, abs_notional)",
            "rules.min_position_notional",
        ),
        (
            "steps are rounded down",
            "limit // notional_per_lot // step_lots",
            "-(-(limit // notional_per_lot) // step_lots)",
        ),
        (
            "at least one step",
            "larger(smaller(steps, size), step_lots)",
            "smaller(steps, size)",
        ),
        (
            "whole at the limit",
            "abs_notional <= limit, size",
            "abs_notional < limit, size",
        ),
        ("whole below a step", "size <= step_lots", "size < 0"),
        ("opposite sign", "return -sign_of(lots) *", "return sign_of(lots) *"),
        ("walk from the offset", "(rank - jnp", "(rank + jnp"),
        ("bits of the urgency", "1 << 62, oracle_ticks", "1 << 50, oracle_ticks"),
    ),
    *_of(
        "rules/deleveraging",
        "rules/test_deleveraging",
        ("start of the walk", "(step + start) %", "step %"),
        (
            "both sides are tested",
            ") & is_update_allowed(\n            other_now, other_new\n        )",
            ")",
        ),
        (
            "the target is tested",
            "is_fill = is_update_allowed(target_now, target_new) & is_update_allowed(",
            "is_fill = is_update_allowed(",
        ),
        (
            "no more than is left",
            "smaller(abs(walk.remaining), abs(walk.lots[other]))",
            "abs(walk.lots[other])",
        ),
        (
            "settlement at the oracle",
            "jnp.where(is_at_oracle, -delta * per_lot, at_bankruptcy)",
            "at_bankruptcy",
        ),
        (
            "holders of the other side",
            "jnp.sign(walk.remaining) > 0",
            "jnp.sign(walk.remaining) < 0",
        ),
        ("bound of the walk", "jnp.minimum(count, max_counterparties)", "count"),
        ("negative equity is strict", "return tnc < 0,", "return tnc <= 0,"),
        (
            "parts telescope",
            "return reached - before",
            "return mul_div_floor(jnp.asarray(quote)[..., None], taken, whole)",
        ),
    ),
    *_of(
        "rules/allocation",
        "rules/test_allocation",
        (
            "largest remainder first",
            "share + (_is_largest(rest, missing)",
            "share + (_is_largest(rest * 0 + 1, missing)",
        ),
        (
            "ties to the lower account",
            "equal & (jnp.cumsum(equal, axis=-1) <= missing)",
            "equal & (jnp.cumsum(equal[..., ::-1], axis=-1)[..., ::-1] <= missing)",
        ),
        ("units left over", "return share + (", "return share + 0 * ("),
        ("first of equal scores", "score > at, cap", "score >= at, cap"),
        (
            "highest score first",
            "return jnp.argsort(-score, stable=True)",
            "return jnp.argsort(score, stable=True)",
        ),
        (
            "a cap reached is full",
            "compare_products(left, open_weights, caps, whole) >= 0",
            "compare_products(left, open_weights, caps, whole) > 1",
        ),
        (
            "a queue stops at the amount",
            "jnp.clip(amount - before, 0, queued)",
            "queued",
        ),
    ),
    *_of(
        "rules/funding",
        "rules/test_funding",
        (
            "premium toward zero",
            "value = mul_div_toward_zero(gap, PPM,",
            "value = -mul_div_ceil(-gap, PPM,",
        ),
        (
            "impact size rounded up",
            "part = mul_div_ceil(",
            "part = mul_div_toward_zero(",
        ),
        ("a thin side counts not", "(no_impact | is_deep) &", "(is_deep | True) &"),
        ("impact beyond the index", "jnp.where(is_bid, gap > 0, gap < 0)", "True"),
        (
            "clamp of a vote",
            "return clamp(vote, -max_vote_ppm, max_vote_ppm)",
            "return clamp(vote, 0, max_vote_ppm)",
        ),
        (
            "half away from zero",
            "-((-both_halves) // 2) if both_halves > 0 else",
            "both_halves // 2 if both_halves > 0 else",
        ),
        (
            "half away from zero, arrays",
            "jnp.where(both_halves > 0, -((-both_halves) // 2), both_halves // 2)",
            "both_halves // 2",
        ),
        (
            "padding of a sample",
            "jnp.maximum(jnp.asarray(blocks), minimum)",
            "jnp.maximum(jnp.asarray(blocks), 1)",
        ),
        ("padding of a tick", "max(samples, minimum) if", "samples if"),
        (
            "mean toward zero",
            "return divide_toward_zero(sum_of_samples, count)",
            "return sum_of_samples // count",
        ),
        ("rate clamp below", "-max_rate_ppm, max_rate_ppm)", "0, max_rate_ppm)"),
        (
            "index toward zero",
            "return mul_div_toward_zero(rate * seconds",
            "return -mul_div_ceil(-rate * seconds",
        ),
        ("longs pay", "sum(-d * q for", "sum(d * q for"),
        (
            "longs pay, arrays",
            "-index_moves // PPM, -index_moves % PPM",
            "index_moves // PPM, index_moves % PPM",
        ),
        (
            "one floor over the sum",
            "jnp.sum(rests, axis=-1) // PPM",
            "jnp.sum(rests // PPM, axis=-1)",
        ),
        (
            "residue",
            "Payments(payment, -jnp.sum(payment))",
            "Payments(payment, 0 * jnp.sum(payment))",
        ),
        (
            "floor of the clamp",
            "initial_ppm - maintenance_fraction_ppm(initial_ppm, maintenance_ppm)",
            "initial_ppm + maintenance_fraction_ppm(-initial_ppm, maintenance_ppm)",
        ),
    ),
    *_of(
        "upkeep/oracle",
        "upkeep/test_oracle",
        (
            "threshold is inclusive",
            "threshold_ppm, old) >= 0",
            "threshold_ppm, old) > 0",
        ),
        ("heartbeat is inclusive", "age_us >= heartbeat_us", "age_us > heartbeat_us"),
        ("staleness is strict", "updated_us > max_age_us", "updated_us >= max_age_us"),
        ("quorum", "count >= jnp.maximum(rules.quorum, 1)", "count >= 1"),
        ("only valid reports", "jnp.where(is_valid, prices, INT64_MAX)", "prices"),
        ("median of three", "smaller(larger(a, b), c)", "larger(larger(a, b), c)"),
        ("stuck reporters", "jnp.where(is_stuck, previous, biased)", "biased"),
        ("delay", "out = line.prices[line.cursor]", "out = price"),
        (
            "bias rounded down",
            "ppm_floor(honest, bias_ppm)",
            "-ppm_floor(-honest, bias_ppm)",
        ),
    ),
    *_of(
        "upkeep/breaker",
        "upkeep/test_breaker",
        (
            "a move of the threshold is borne",
            "gap > params.breaker_move_ppm * ticks",
            "gap >= params.breaker_move_ppm * ticks",
        ),
        (
            "the window is inclusive",
            "age <= params.breaker_window_us",
            "age < params.breaker_window_us",
        ),
        (
            "the pause ends at its end",
            "return now_us < state.paused_until_us",
            "return now_us <= state.paused_until_us",
        ),
        (
            "the reopening price is the new reference",
            "jnp.where(reopens[:, None], 0, state.ticks)",
            "state.ticks",
        ),
        (
            "falls count too",
            "jnp.abs(index[:, None] - ticks)",
            "index[:, None] - ticks",
        ),
    ),
    *_of(
        "kernels/clearing",
        "forms/test_exchange",
        (
            "orders of one block are one batch",
            "= book.came[side, index]",
            "= column",
        ),
    ),
    *_of(
        "kernels/admission",
        "forms/test_exchange",
        ("limit of an account", "+ own >= most", "+ own > most"),
        ("limit of a market", "+ here >= most", "+ here > most"),
    ),
    *_of(
        "kernels/matching",
        "forms/test_exchange",
        (
            "a reduction frees what it reserved",
            "reserve(t, account, market, side, -lots, book.loss[side, index])\n"
            "    book.lots[side, index] = left",
            "book.lots[side, index] = left",
        ),
        (
            "immediate orders need no place",
            "if flags & IMMEDIATE == 0 and has_too_many",
            "if has_too_many",
        ),
    ),
    *_of(
        "kernels/messages",
        "forms/test_match",
        ("a reduction by more than rests", "if lots > there:", "if lots > there + 1:"),
        ("a reduction of all is a cancel", "if lots == there:", "if lots > there:"),
    ),
    *_of(
        "kernels/ladder",
        "forms/test_match",
        (
            "the newest is last of its price",
            "before = levels[side, level, LAST]\n    nodes[node, PREVIOUS]",
            "before = levels[side, level, FIRST]\n    nodes[node, PREVIOUS]",
        ),
        (
            "a freed name closes its gap",
            "if (place - home) & last >= (place - hole) & last:",
            "if False:",
        ),
    ),
    *_of(
        "venues/rankings",
        "rules/test_allocation",
        (
            "winners times leverage",
            "profit * leverage if profit > 0 else profit / leverage",
            "profit * leverage",
        ),
        (
            "losers score nothing",
            "Fraction(max(0, unrealised))",
            "Fraction(unrealised)",
        ),
        ("no balance, no ratio", "if balance > 0 else", "if balance else"),
        (
            "ties in order",
            "key=lambda i: -scores[i])",
            "key=lambda i: (-scores[i], -i))",
        ),
        ("remainders", "ranked(remainders)[:", "list(range(len(shares)))[:"),
        ("level of the water", "if left * w < cap * weight:", "if left * w < weight:"),
    ),
    *_of(
        "venues/dydx_v4/units",
        "venues/test_dydx_v4",
        (
            "conversion toward zero",
            "return divide_toward_zero(value, 10**-exponent)",
            "return value // 10**-exponent",
        ),
        (
            "ppm rounded up",
            "-(-product // PPM) if round_up",
            "product // PPM if round_up",
        ),
        ("resolution of the quote", "QUOTE_RESOLUTION = -6", "QUOTE_RESOLUTION = -7"),
    ),
    *_of(
        "venues/dydx_v4/liquidation",
        "venues/test_dydx_v4",
        (
            "long up, short down",
            "ceil(subticks) if is_long else floor(subticks)",
            "floor(subticks)",
        ),
        ("ticks the same way", "round_up=is_long", "round_up=not is_long"),
        (
            "largest distance first",
            "return -abs(Fraction(limit)",
            "return abs(Fraction(limit)",
        ),
        (
            "least hash first",
            "-notional, digest",
            "-notional, bytes(255 - b for b in digest)",
        ),
        ("steps down", "round_up=False", "round_up=True"),
    ),
    *_of(
        "venues/dydx_v4/isolated",
        "venues/test_dydx_v4",
        (
            "the fund pays first",
            "    pools = _insure(pools, insurance_delta)\n    leftover",
            "    _transfer_out(pools, quote_after_fill)\n"
            "    pools = _insure(pools, insurance_delta)\n    leftover",
        ),
        (
            "no overdraft of the fund",
            "pools.insurance + insurance_delta < 0",
            "pools.insurance + insurance_delta < -1",
        ),
    ),
    *_of(
        "venues/dydx_v4/gate",
        "venues/test_dydx_v4",
        ("end of the gate", "< GATE_BLOCKS", "<= GATE_BLOCKS"),
    ),
    *_of(
        "venues/dydx_v4/funding",
        "venues/test_dydx_v4",
        ("impact size up once", "ceil(total), quantum", "int(total), quantum"),
        (
            "odd tail at the top",
            "bottom = removed // 2",
            "bottom = removed - removed // 2",
        ),
        (
            "premium toward zero",
            "premium = trunc(price * PPM / index - PPM)",
            "premium = (price * PPM / index - PPM) // 1",
        ),
        (
            "mean toward zero",
            "return divide_toward_zero(sum(kept), len(kept))",
            "return sum(kept) // len(kept)",
        ),
    ),
    *_of(
        "venues/starkex/margin",
        "venues/test_starkex",
        ("risk steps are inclusive", "if size <= upper", "if size < upper"),
        (
            "risk steps are inclusive, arrays",
            "jnp.where(size <= upper",
            "jnp.where(size < upper",
        ),
        (
            "at the requirement is sound",
            "return tr <= tv * FXP_32",
            "return tr < tv * FXP_32",
        ),
        (
            "liquidation is strict",
            "return tv * FXP_32 < tr",
            "return tv * FXP_32 <= tr",
        ),
        (
            "signed ratio",
            "return tv_0 * tr_1 <= tv_1 * tr_0",
            "return abs(tv_0) * tr_1 <= abs(tv_1) * tr_0",
        ),
        (
            "an equal ratio is kept",
            "return tv_0 * tr_1 <= tv_1 * tr_0",
            "return tv_0 * tr_1 < tv_1 * tr_0",
        ),
        (
            "no risk, no loss",
            "if tr_0 == 0 and tv_1 < tv_0",
            "if tr_0 == 0 and tv_1 <= tv_0",
        ),
        (
            "holdings keep their side",
            "b * a >= 0 and abs(a) <= abs(b)",
            "abs(a) <= abs(b)",
        ),
        (
            "holdings keep their side, arrays",
            "jnp.all(keeps_side & shrinks",
            "jnp.all(shrinks",
        ),
        ("deleverage below zero", "return tv < 0", "return tv <= 0"),
    ),
    *_of(
        "venues/starkex/funding",
        "venues/test_starkex",
        (
            "funding is floored",
            "sum(m * b for b, m in pairs)) >> 32",
            "sum(m * b for b, m in pairs) + FXP_32 - 1) >> 32",
        ),
        (
            "rate bound is inclusive",
            "return move * FXP_32 <= ",
            "return move * FXP_32 < ",
        ),
    ),
    *_of(
        "venues/starkex/oracle",
        "venues/test_starkex",
        (
            "half up",
            "numerator + denominator // 2) //",
            "numerator + denominator // 2 - 1) //",
        ),
        ("half below", "count <= 2 * at_most", "count < 2 * at_most"),
        ("signers increase", "all(a < b for a, b", "all(a <= b for a, b"),
    ),
    *_of(
        "venues/starkex/orders",
        "venues/test_starkex",
        (
            "buyer's rounding",
            "(collateral - 1) * filled < signed",
            "(collateral - 1) * filled <= signed",
        ),
        (
            "seller's rounding",
            "signed < filled * (collateral + 1)",
            "signed <= filled * (collateral + 1)",
        ),
        (
            "fee share",
            "fee * order.amount_collateral > order",
            "fee * order.amount_collateral >= order",
        ),
    ),
    *_of(
        "venues/starkex/liquidation",
        "venues/test_starkex",
        (
            "maximal fairness",
            "return tv_0 * tr_1 > (tv_1 - FXP_32)",
            "return tv_0 * tr_1 >= (tv_1 - 2 * FXP_32)",
        ),
        (
            "one unit less is unfair",
            "return tv_0 * tr_1 > (",
            "return tv_0 * tr_1 >= (",
        ),
        (
            "in favour of the bankrupt",
            "return -((tv_1 * tr_0 - tv_0 * tr_1) //",
            "return ((tv_0 * tr_1 - tv_1 * tr_0) //",
        ),
    ),
    *_of(
        "venues/starkex/escape",
        "venues/test_starkex",
        (
            "funding floored by itself",
            "whole_funding = funding >> 32 << 32",
            "whole_funding = funding",
        ),
        ("debt pays nothing", "if 0 < value <= collateral", "if value <= collateral"),
        (
            "the last unit is paid",
            "value <= collateral else",
            "value < collateral else",
        ),
    ),
    *_of(
        "venues/hyperliquid/liquidation",
        "venues/test_hyperliquid",
        (
            "liquidation is strict",
            "return value < maintenance",
            "return value <= maintenance",
        ),
        (
            "two thirds are strict",
            "return 3 * value < 2 * maintenance",
            "return 3 * value <= 2 * maintenance",
        ),
        (
            "part above the limit only",
            "notional > partial_above",
            "notional >= partial_above",
        ),
        (
            "part rounded up",
            "divide_ceil(size, PARTIAL_DIVISOR)",
            "size // PARTIAL_DIVISOR",
        ),
        ("end of the cool-down", ">= COOLDOWN_SECONDS", "> COOLDOWN_SECONDS"),
        ("side of the share", "(1 - share * side)", "(1 + share * side)"),
    ),
    *_of(
        "venues/hyperliquid/adl",
        "venues/test_hyperliquid",
        ("shorts by profit", "profit = 1 / profit", "profit = profit * 1"),
        ("below zero", "return value < 0", "return value <= 0"),
    ),
    *_of(
        "venues/hyperliquid/oracle",
        "venues/test_hyperliquid",
        ("a split weight", "if 2 * so_far == whole:", "if 2 * so_far == -whole:"),
        (
            "mean rounded down",
            "(price + rows[index + 1][0]) // 2",
            "(price + rows[index + 1][0] + 1) // 2",
        ),
        ("two components only", "len(parts) == 2 and", "len(parts) <= 2 and"),
    ),
    *_of(
        "venues/hyperliquid/funding",
        "venues/test_hyperliquid",
        (
            "clamp of the interest",
            "clamp(interest - average_premium, -bound, bound)",
            "clamp(interest - average_premium, 0, bound)",
        ),
        ("cap", "CAP_PERCENT = 4", "CAP_PERCENT = 5"),
        (
            "payment floored",
            "return mul_div_floor(-size * oracle",
            "return -mul_div_floor(size * oracle",
        ),
        (
            "premium toward zero",
            "return mul_div_toward_zero(gap",
            "return mul_div_floor(gap",
        ),
    ),
    *_of(
        "venues/drift",
        "venues/test_hyperliquid",
        (
            "loss rounded up",
            "return -(-loss * BASE // contracts)",
            "return loss * BASE // contracts",
        ),
        (
            "fee eats the margin",
            "if freed > 0 else",
            "if freed >= -(10**9) and freed else",
        ),
    ),
    *_of(
        "rules/risk_steps",
        "rules/test_risk_steps",
        (
            "a step includes its upper bound",
            "select(size <= steps.uppers[step]",
            "select(size < steps.uppers[step]",
        ),
        (
            "size by balance",
            "select(steps.by_balance, abs(lots)",
            "select(1, abs(lots)",
        ),
        (
            "excess of a requirement",
            "-(size % PPM) * ppm % PPM",
            "(size % PPM) * ppm % PPM",
        ),
        ("excesses add up to quanta", "- spare // PPM, spare", "+ spare // PPM, spare"),
        ("liquidation is strict", "return equity < quanta", "return equity <= quanta"),
        (
            "exactly the requirement is enough",
            "return equity >= quanta",
            "return equity > quanta",
        ),
        ("the rests of a ratio", "whole + rest // PPM", "whole"),
        ("an equal ratio is kept", "after.quanta) >= 0", "after.quanta) > 0"),
        (
            "without risk no value may go",
            "either(before.quanta > 0",
            "either(before.quanta >= 0",
        ),
        (
            "the close price favours the account",
            "clamp(-(-equity * new // now)",
            "clamp(equity * new // now",
        ),
    ),
    *_of(
        "kernels/takeover",
        "forms/test_starkex",
        ("exactly the risk is safe", "or equity >= required:", "or equity > required:"),
        ("the fund pays its last", "if missing > funds_of", "if missing >= funds_of"),
        ("the fund's share", "gain - ppm_floor(gain", "0 * ppm_floor(gain"),
        ("a keeper's initial margin", "NOTHING) >= 0", "NOTHING) > 0"),
        ("no loan from the fund", "close if equity >= 0 else worth", "close"),
    ),
    *_of(
        "kernels/cover",
        "forms/test_starkex",
        ("reservations follow the price", "book.lots[side, index] * change", "0"),
        ("orders without cover go", "slack(t, account) < NOTHING", "slack(t, 0) < -1"),
    ),
    *_of(
        "kernels/admission",
        "forms/test_isolated",
        (
            "an isolated market excludes others",
            "isolated[other] + isolated[market] == 0",
            "isolated[other] == 0",
        ),
        (
            "orders count as positions do",
            "or has_orders_in(t, account, other)",
            "or has_orders_in(t, account, market) and other < 0",
        ),
    ),
    *_of(
        "kernels/liquidation",
        "forms/test_isolated",
        ("the account's limit", "return min(free, left)", "return free"),
        ("the market's own fund", "insurance[fund] += delta", "insurance[0] += delta"),
    ),
    *_of(
        "rules/ranking",
        "rules/test_ranking",
        (
            "scores are capped",
            "return smaller(mul_div_floor(a, b, larger(d, 1)), TOP)",
            "return mul_div_floor(a, b, larger(d, 1))",
        ),
        (
            "a wallet counts a dollar at least",
            "larger(wallet, QUANTA_PER_USD)",
            "wallet",
        ),
        ("losers score nothing", "larger(unrealised, 0)", "abs(unrealised)"),
        ("losers rank below winners", "winner, -loser)", "winner, loser)"),
        (
            "break-even is no win",
            "select(profit > 0, winner",
            "select(profit >= 0, winner",
        ),
        (
            "losers are divided by leverage",
            "scaled(rate, larger(margin, 0), abs(value))",
            "scaled(rate, abs(value), larger(margin, 1))",
        ),
    ),
    *_of(
        "rules/ranking",
        "venues/test_hyperliquid",
        ("shorts rank by profit", "both(is_short, invert_shorts)", "invert_shorts"),
        (
            "no equity ranks first",
            "account_value > 0, score, TOP",
            "account_value > 0, score, 0",
        ),
    ),
    *_of(
        "rules/staged",
        "rules/test_staged",
        (
            "the limit is inclusive",
            "notional > rules.partial_above",
            "notional >= rules.partial_above",
        ),
        (
            "a part is rounded up",
            "part = ppm_ceil(size, rules.portion_ppm)",
            "part = size * rules.portion_ppm // 1_000_000",
        ),
        (
            "the cooldown ends at its end",
            "both(begun, now_us < until_us)",
            "both(begun, now_us <= until_us)",
        ),
        (
            "the cooldown begins after its block",
            "until_us < now_us + rules.cooldown_us",
            "until_us <= now_us + rules.cooldown_us",
        ),
        (
            "the whole goes during the cooldown",
            "select(is_cooling, size, part)",
            "select(is_cooling, part, size)",
        ),
        (
            "waiting sends nothing",
            "select(is_cooling, 0, size)",
            "select(is_cooling, size, 0)",
        ),
    ),
    *_of(
        "upkeep/mark",
        "upkeep/test_mark",
        ("the middle of three", "jnp.minimum(jnp.maximum(a, b), c)", "c"),
        (
            "both sides are needed",
            "(book.count > 0).all(axis=-1)",
            "(book.count > 0).any(axis=-1)",
        ),
        (
            "the best order stands at the end",
            "jnp.maximum(book.count - 1, 0)",
            "0 * book.count",
        ),
        (
            "the basis is over the oracle",
            "(bid + ask) // 2 - state.oracle",
            "state.oracle - (bid + ask) // 2",
        ),
        ("the middle is rounded down", "(bid + ask) // 2 -", "(bid + ask + 1) // 2 -"),
        (
            "the mark before is kept",
            "previous_mark=state.mark, ",
            "previous_mark=state.oracle, ",
        ),
        (
            "the book forgets faster",
            "is_whole, block_us, BOOK_EMA_US",
            "is_whole, block_us, MARK_EMA_US",
        ),
    ),
    *_of(
        "upkeep/hourly_funding",
        "venues/test_preset_hyperliquid",
        ("the newest premium is sampled", "(state.vote_count - 1)", "state.vote_count"),
        ("halted blocks do not count", "+ jnp.where(is_halted, 0, 1)", "+ 1"),
        (
            "the mean is truncated",
            "divide_toward_zero(state.premium_sum, samples)",
            "state.premium_sum // samples",
        ),
        (
            "floors go to the residue",
            "state.residue - payment.sum()",
            "state.residue + payment.sum()",
        ),
        (
            "a halted hour is free",
            "rate = jnp.where(is_halted, 0, rate)",
            "rate = rate * 1",
        ),
    ),
    *_of(
        "venues/hyperliquid/funding",
        "venues/test_preset_hyperliquid",
        (
            "payments are floored",
            "mul_div_floor(-size * oracle",
            "-mul_div_floor(size * oracle",
        ),
    ),
    *_of(
        "kernels/staged",
        "forms/test_staged",
        (
            "backstop is strict",
            "3 * equity < 2 * required",
            "3 * equity <= 2 * required",
        ),
        (
            "bankrupt is below zero",
            "    if equity < 0:\n        return BANKRUPT",
            "    if equity <= 0:\n        return BANKRUPT",
        ),
        ("the vault is bounded", "lots > MAX_NOTIONAL //", "lots >= MAX_NOTIONAL //"),
        (
            "a take-over is at the mark",
            "change_position(t, vault, market, held, unit)",
            "change_position(t, vault, market, held, unit + 1)",
        ),
        (
            "a take-over ends the cooldown",
            "vector(t, COOLDOWN, t[ACCOUNTS])[target] = 0",
            "pass  # nothing",
        ),
    ),
    *_of(
        "kernels/deleveraging",
        "forms/test_deleveraging",
        (
            "at most 500 holders",
            "looked == MAX_COUNTERPARTIES",
            "looked > MAX_COUNTERPARTIES",
        ),
        (
            "the previous mark is the price",
            "-delta * mark * vector(t, MULTIPLIER, t[MARKETS])[market]",
            "-delta * vector(t, UNIT, t[MARKETS])[market]",
        ),
        (
            "the vault pays what it has",
            "max(account_equity(t, vault), 0)",
            "abs(account_equity(t, vault))",
        ),
        (
            "lots of nobody's position",
            "min(taken[account], sizes[account])",
            "taken[account]",
        ),
    ),
    *_of(
        "kernels/allocation",
        "forms/test_deleveraging",
        ("equal scores go by account", "min(max(left, 0), capacity[account])", "0"),
        ("largest remainder", "elif rest > at:", "elif rest < at:"),
        (
            "a cap reached exactly is full",
            "at_least(left, weight, cap, whole)",
            "at_least(left, weight, cap + 1, whole)",
        ),
    ),
    *_of(
        "upkeep/stops",
        "upkeep/test_stops",
        (
            "the end of the grace is out of it",
            "now_us < restarted + grace",
            "now_us <= restarted + grace",
        ),
        (
            "one stale market stops withdrawals",
            "gated = leaves & jnp.any(stops.stale)",
            "gated = leaves & jnp.all(stops.stale)",
        ),
        (
            "deleveraging waits in the grace",
            "return self.stale | self.grace",
            "return self.stale",
        ),
    ),
    *(
        Mutant(rule, "agents/reporters.py", old, new, "tests/agents/test_reporters.py")
        for rule, old, new in (
            (
                "half a reporter counts up",
                "windows.severity_ppm * reporters * 2 + PPM",
                "windows.severity_ppm * reporters * 2",
            ),
            (
                "the first reporters are struck",
                "who = jnp.arange(reporters) < count",
                "who = jnp.arange(reporters) <= count",
            ),
            (
                "a silent reporter is remembered for what it said",
                "said=jnp.where(silent, said, spoken)",
                "said=spoken",
            ),
            (
                "silence beats sticking",
                "heard=jnp.where(silent, 0, spoken)",
                "heard=jnp.where(silent & ~sticks, 0, spoken)",
            ),
        )
    ),
]


def survives(mutant: Mutant, copy: Path) -> bool:
    """Whether the tests pass although the rule is broken."""
    path = copy / mutant.file
    source = path.read_text()
    path.write_text(source.replace(mutant.old, mutant.new, 1))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p"]
    command += ["no:cacheprovider", "--hypothesis-seed=1", mutant.tests]
    # What a mutant does not touch is compiled once for all of them.
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(copy / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    try:
        run = subprocess.run(
            command,
            cwd=copy,
            capture_output=True,
            timeout=SECONDS,
            env={**os.environ, **cache},
            text=True,
        )
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_text(source)
    if run.returncode not in (0, 1):
        raise SystemExit(f"{mutant.rule}: the tests did not run\n{run.stdout[-2000:]}")
    return run.returncode == 0


def check_sources(mutants: list[Mutant]) -> None:
    """Every mutant finds its text, so that none passes by doing nothing."""
    for mutant in mutants:
        if mutant.old not in (ROOT / mutant.file).read_text():
            raise SystemExit(f"{mutant.file}: nothing to mutate for {mutant.rule!r}")


#: A failure is enough: hypothesis need not look for the smallest example.
CONFTEST = """
from hypothesis import Phase, settings

settings.register_profile("mutants", phases=[Phase.generate], database=None)
settings.load_profile("mutants")
"""


def copy_of_sources(folder: Path) -> None:
    """The packages and the tests, where they may be broken."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("market", "rollup", "agents", "experiments", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "conftest.py").write_text(CONFTEST)


def main() -> None:
    """Runs the chosen mutants; exits 1 if one survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="part of a file name or rule")
    words = parser.parse_args().words
    chosen = [
        m
        for m in MUTANTS
        if not words or any(word in f"{m.file} {m.rule}" for word in words)
    ]
    check_sources(chosen)
    alive = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        copy_of_sources(copy)
        for mutant in chosen:
            lives = survives(mutant, copy)
            alive += [mutant] if lives else []
            verdict = "SURVIVES" if lives else "killed"
            print(f"{verdict:9}{mutant.file}: {mutant.rule}", flush=True)
    print(f"{len(chosen) - len(alive)} of {len(chosen)} mutants killed")
    sys.exit(bool(alive))


if __name__ == "__main__":
    main()
