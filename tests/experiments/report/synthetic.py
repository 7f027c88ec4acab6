"""A run directory as an experiment leaves it, drawn from a small story.

The story is crude (a price that falls and half recovers, liquidations that follow the
fall, faults that hold things up) but has the shape, units and ties of real results: the
same seed sees the same price at every point, so that differences pair.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.results import manifest_file, parquet
from experiments.results.store import Store

MARKETS = {"BTC": 61_250.0, "ETH": 2_480.0, "SOL": 142.0}
FAULTS = {
    "none": [],
    "sequencer halt": [{"kind": "sequencer_halt", "start_s": 720.0, "end_s": 1020.0}],
    "liquidators censored": [{"kind": "censorship", "start_s": 600.0, "end_s": 1200.0}],
    "DA outage": [{"kind": "da_outage", "start_s": 660.0, "end_s": 1320.0}],
}
POLICIES = ("fcfs", "priority_fee", "batch_auction")

COLUMNS = {
    "bad_debt": ("USD", "negative equity that nobody covers", "low"),
    "liquidation_loss": ("USD", "loss of liquidated accounts beyond the mark", "low"),
    "insurance_paid": ("USD", "paid out of the insurance fund", "low"),
    "liquidations": ("count", "positions liquidated, whole or in part", "low"),
    "liquidated_notional": ("USD", "notional of liquidations", "low"),
    "inclusion_p95_us": ("us", "95th percentile from sending to execution", "low"),
    "spread_mean_ppm": ("ppm", "mean spread over the mid", "low"),
    "volume_notional": ("USD", "traded notional", None),
    "searcher_pnl": ("USD", "profit of all searchers", None),
    "trades": ("count", "fills", None),
    "deleveraged": ("count", "counterparties deleveraged", "low"),
    "trader_pnl": ("USD", "profit of the leveraged traders", "high"),
    "maker_pnl": ("USD", "profit of the market makers", "high"),
    "liquidator_pnl": ("USD", "profit of the liquidators", None),
    "pnl_whales": ("USD", "profit of the group whales", "high"),
    "venue_fees": ("USD", "maker and taker fees", None),
    "inclusion_p95_error_us": ("us", "width of the bucket it was read in", "low"),
    "mempool_room": ("count", "places of the mempool", None),
    "txs_entered": ("count", "transactions sent", None),
    "txs_rejected": ("count", "refused by the exchange", "low"),
    "txs_full": ("count", "dropped because the mempool was full", "low"),
    "full_cancel": ("count", "cancels among them", "low"),
    "reject_book_full": ("count", "orders rejected because the book was full", "low"),
}
SERIES = {
    "fundamental": ("USD", True),
    "oracle": ("USD", True),
    "mark": ("USD", True),
    "spread_ppm": ("ppm", True),
    "depth": ("USD", True),
    "open_interest": ("USD", True),
    "liquidations": ("count", False),
    "insurance": ("USD", False),
    "bad_debt": ("USD", False),
    "mempool": ("count", False),
    "inclusion_us": ("us", False),
    "batches_sealed": ("count", False),
    "batches_posted": ("count", False),
    "batches_proven": ("count", False),
    "batches_settled": ("count", False),
}


def _inside(times: np.ndarray, faults: list[dict], kind: str) -> np.ndarray:
    held = np.zeros(len(times), bool)
    for fault in faults:
        if fault["kind"] == kind:
            held |= (times >= fault["start_s"]) & (times < fault["end_s"])
    return held


def _frozen(path: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The path, standing still where it is held."""
    index = np.where(held, -1, np.arange(len(path)))
    return path[np.maximum(np.maximum.accumulate(index), 0)]


def _since(held: np.ndarray) -> np.ndarray:
    """Samples since the hold began, 0 outside."""
    index = np.arange(len(held))
    free = np.maximum.accumulate(np.where(held, -1, index))
    return np.where(held, index - free, 0)


def _story(run: int, faults: list[dict], policy: int, times: np.ndarray) -> dict:
    """Series of one run, by column name, and metrics."""
    rng = np.random.default_rng(1_000 + run)
    knots = [0, 600, 780, 960, 1200, 1800]
    fall = np.interp(times, knots, [0, -0.01, -0.06, -0.131, -0.085, -0.07])
    depth_of_crash = rng.uniform(0.85, 1.2)
    noise = np.cumsum(rng.normal(0, 0.0009, len(times)))
    fall = fall * depth_of_crash + noise
    stress = np.clip(np.gradient(-fall), 0, None)
    stress = np.convolve(stress, np.ones(9) / 9, "same") * 400
    halted = _inside(times, faults, "sequencer_halt")
    censored = _inside(times, faults, "censorship")
    dark = _inside(times, faults, "da_outage")
    out: dict[str, np.ndarray] = {}
    for m, (market, start) in enumerate(MARKETS.items()):
        beta = 1 + 0.35 * m
        price = start * np.exp(fall * beta + np.cumsum(rng.normal(0, 4e-4, len(times))))
        out[f"fundamental.{market}"] = price
        out[f"oracle.{market}"] = _frozen(np.roll(price, 1), halted)
        out[f"oracle.{market}"][0] = price[0]
        wobble = rng.normal(0, 6e-4, len(times)) * (1 + 6 * stress)
        out[f"mark.{market}"] = _frozen(price * (1 + wobble - 2e-3 * stress), halted)
        calm = (180 + 60 * m) * np.exp(rng.normal(0, 0.15, len(times)))
        out[f"spread_ppm.{market}"] = np.rint(
            calm * (1 + 9 * stress + 14 * halted + 2 * policy / 3)
        )
        out[f"depth.{market}"] = 4.2e6 / (1 + m) / (1 + 5 * stress + 2 * halted)
        out[f"open_interest.{market}"] = 3.1e7 / (1 + m) * (1 + fall * 2.4)
    rate = rng.poisson(0.2 + 11 * stress)
    late = np.where(halted | censored, 0, rate)
    for held in (halted, censored):
        if held.any():
            late[np.flatnonzero(held)[-1] + 1] += int(rate[held].sum() * 1.15)
    out["liquidations"] = np.cumsum(late)
    waiting = np.cumsum(rate) - np.minimum(np.cumsum(late), np.cumsum(rate))
    severity = 1.0 + 0.35 * policy + rng.uniform(-0.3, 0.3)
    owed = 22_000 * np.maximum(waiting - 5, 0) * np.clip(-fall, 0, 1) * severity
    paid = np.maximum.accumulate(owed) * 0.55 + 900 * np.cumsum(late)
    out["insurance"] = np.maximum(2.5e6 - paid, 0) + 130 * np.cumsum(rate)
    out["bad_debt"] = owed * 1.0
    out["mempool"] = np.rint(40 + 260 * stress + 95 * _since(halted))
    slow = 5e6 * (1 + _since(halted)) * halted
    base = (420_000, 380_000, 900_000)[policy]
    out["inclusion_us"] = np.rint(base * (1 + 1.4 * stress) + slow)
    sealed = (times // 60).astype(np.int64) * 1
    sealed = _frozen(sealed, halted)
    posted = _frozen(np.maximum(sealed - 1, 0), dark)
    proven = np.maximum(posted - 2, 0)
    out["batches_sealed"], out["batches_posted"] = sealed, posted
    out["batches_proven"] = proven
    out["batches_settled"] = np.maximum(proven - 1, 0)
    metrics = {
        "bad_debt": float(owed.max() * (0.6 + 0.2 * policy)),
        "liquidation_loss": float(7_400 * late.sum() * (1 + 0.1 * policy))
        + float(owed.max() * 0.8),
        "insurance_paid": float(2.5e6 - out["insurance"].min()),
        "liquidations": int(late.sum()),
        "liquidated_notional": float(41_000 * late.sum()),
        "inclusion_p95_us": int(np.quantile(out["inclusion_us"], 0.95)),
        "spread_mean_ppm": int(out["spread_ppm.BTC"].mean()),
        "volume_notional": float(5.3e7 * (1 + stress.mean())),
        "searcher_pnl": float(rng.normal(90_000, 30_000) * (1, 1.6, 0.3)[policy]),
        "trades": int(38_000 * (1 + stress.mean())),
        "reject_book_full": 0,
        "deleveraged": int(owed.max() > 0) * (200 + 40 * policy),
        "trader_pnl": float(-8_100 * late.sum() - rng.normal(2e5, 4e4)),
        "maker_pnl": float(rng.normal(310_000, 60_000) + 9e4 * policy),
        "liquidator_pnl": float(650 * late.sum()),
        "venue_fees": float(2.6e4 * (1 + stress.mean())),
        "inclusion_p95_error_us": 6_500,
        "mempool_room": 1_024,
        "txs_entered": 410_000,
        "txs_rejected": int(9_000 + rng.integers(900)),
        "txs_full": int(halted.sum() * 130),
        "full_cancel": int(halted.sum() * 40),
    }
    metrics["pnl_whales"] = metrics["trader_pnl"]
    return {"series": out, "metrics": metrics}


#: Of the experiment that all these directories are of.
IDENTITY = hashlib.sha256(b"config").hexdigest()


def save(frame: pd.DataFrame, path: Path) -> None:
    """Writes a table as the lab does, with its experiment's identity."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(parquet.marked(table, IDENTITY), path)


def change_manifest(folder: Path, change) -> None:
    """Writes the manifest again as ``change`` makes it from its text."""
    text = json.dumps(manifest_file.read(folder))
    manifest_file.write(folder, json.loads(change(text)))


def _root(point: int, run: int) -> str:
    return hashlib.blake2s(f"{point}/{run}".encode()).hexdigest()


def _manifest(axes: list[str], points: list[dict], runs: int, samples: int) -> dict:
    return {
        "name": "crash-under-faults",
        "config_hash": IDENTITY,
        "config": {
            "name": "crash-under-faults",
            "seed": 7,
            "runs": runs,
            "world": {"blocks": 1800, "block_ms": 1000},
            "venue": {"preset": "dydx_v4", "markets": list(MARKETS)},
            "populations": {
                "market_makers": {"count": 48},
                "leveraged_traders": {"count": 900},
                "searchers": {"count": 32},
                "liquidators": {"count": 20},
            },
            "prices": {"model": "crash"},
            "sweep": {axis: "…" for axis in axes},
        },
        "points": points,
        "axes": axes,
        "runs": runs,
        "seed": 7,
        "markets": list(MARKETS),
        "block_s": 1.0,
        "blocks": 1800,
        "series_every": 1800 // samples,
        "columns": {
            name: {"unit": unit, "meaning": meaning, "better": better}
            for name, (unit, meaning, better) in COLUMNS.items()
        },
        "series": {
            name: {"unit": unit, "meaning": "", "per_market": each, "cumulative": False}
            for name, (unit, each) in SERIES.items()
        },
        "versions": {"jax": "0.10.2", "mesa": "3.3.1", "numpy": "2.4.6"},
        "python": "3.11.2",
        "platform": "Linux x86_64",
        "device": "cpu",
        "git": {"revision": "31f2cbd0c0ffee31f2cbd0c0ffee31f2cbd0c0ff", "dirty": False},
        "command": ["shakeout", "run", "demo.yaml", "--out", "my demo"],
        "started": "2026-01-01T00:00:00Z",
        "wall_s": 141.3,
        "compile_s": 38.0,
        "status": "complete",
        "failures": [],
    }


def write_run_directory(
    path: Path,
    *,
    faults: dict[str, list[dict]] = FAULTS,
    policies: tuple[str, ...] = POLICIES,
    runs: int = 16,
    samples: int = 180,
    sweep: bool = True,
    omit_series: tuple[str, ...] = (),
    series: bool = True,
    leverages: tuple[int, ...] = (),
) -> Path:
    """Write manifest, runs and series of faults x policies (x leverages) x seeds."""
    path.mkdir(parents=True, exist_ok=True)
    times = np.arange(1, samples + 1) * (1800 / samples)
    axes = ["fault", "sequencer.policy"] if sweep else []
    axes += ["leveraged_traders.leverage"] if leverages else []
    points, rows, tables = [], [], []
    for fault, windows in faults.items():
        for p, policy in enumerate(policies):
            for leverage in leverages or (None,):
                values = [fault, policy, leverage][: len(axes)]
                named = dict(zip(axes, values, strict=True))
                point = len(points)
                points.append(
                    {
                        "point": point,
                        "label": ", ".join(map(str, values)),
                        "axes": named,
                        "faults": [{**w, "severity": 1.0} for w in windows],
                    }
                )
                for run in range(runs):
                    story = _story(run, windows, p % 3, times)
                    scale = (leverage or 10) / 10
                    for name in ("bad_debt", "liquidation_loss"):
                        story["metrics"][name] *= scale
                    row = {"point": point, "run": run, "seed": 7, "status": 0}
                    row |= {"state_root": _root(point, run), "conservation_error": 0}
                    rows.append(row | named | story["metrics"])
                    kept = {
                        k: v
                        for k, v in story["series"].items()
                        if k.split(".")[0] not in omit_series
                    }
                    index = {"point": np.int32(point), "run": np.int32(run)}
                    block = np.rint(times).astype(np.int32)
                    table = {"block": block, "time_s": times} | kept
                    tables.append(pd.DataFrame(table).assign(**index))
    save(pd.DataFrame(rows), path / "runs.parquet")
    if series:
        save(pd.concat(tables, ignore_index=True), path / "series.parquet")
    Store(path).write_manifest(_manifest(axes, points, runs, samples))
    checks = [
        {
            "check": "conservation_error == 0",
            "passed": True,
            "value": 0,
            "threshold": 0,
            "message": "",
        }
    ]
    told = {"experiment": IDENTITY, "checks": checks}
    (path / "checks.json").write_text(json.dumps(told))
    return path
