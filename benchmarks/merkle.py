"""Merkle roots of 2^16 leaves against a hashlib loop, side by side in one run.

    python -m benchmarks.merkle [--height 16] [--repeats 15] [--devices 2]

Prints one JSON line: `all` is one tree over all devices, `one` the same tree on one
device, `worlds` as many leaves as trees of 1,024 on one device. On a CPU the cores are
made two devices. The timed rounds of all sides alternate, so that other load on the
machine falls on each.
"""

import argparse
import hashlib
import json
import os
import statistics
import time


def hashlib_root(data: bytes) -> bytes:
    """The loop to beat: the whole tree by ``hashlib``, level by level."""
    blake2s = hashlib.blake2s
    while len(data) > 32:
        data = b"".join(
            [blake2s(data[at : at + 64]).digest() for at in range(0, len(data), 64)]
        )
    return data


def seconds_of(function, *args) -> tuple[float, object]:
    start = time.perf_counter()
    answer = function(*args)
    return time.perf_counter() - start, answer


def compiled(function, *args):
    """The compiled function and its cold compile seconds (tracing included)."""
    import jax

    return seconds_of(lambda: jax.jit(function).lower(*args).compile())[::-1]


def measure(height: int, repeats: int) -> dict:
    import jax
    import numpy as np

    from rollup.commitments.merkle import merkle_root
    from rollup.commitments.merkle.devices import local_mesh, merkle_root_over_devices

    mesh = local_mesh()
    rng = np.random.default_rng(0)
    leaves = rng.integers(0, 1 << 32, (1 << height, 8), dtype=np.uint32)
    data = leaves.astype("<u4").tobytes()
    worlds = leaves.reshape(-1, min(1024, 1 << height), 8)
    split = jax.sharding.NamedSharding(
        mesh, jax.sharding.PartitionSpec(mesh.axis_names)
    )
    spread, single = jax.device_put(leaves, split), jax.device_put(leaves)
    many = jax.device_put(worlds)
    sides = {
        "all": (lambda x: merkle_root_over_devices(x, mesh=mesh), spread),
        "one": (merkle_root, single),
        "worlds": (jax.vmap(merkle_root), many),
    }
    report = {"leaves": 1 << height, "devices": mesh.size}
    kernels, times = {}, {"hashlib": []} | {side: [] for side in sides}
    for side, (function, argument) in sides.items():
        kernels[side], report[f"compile_s_{side}"] = compiled(function, argument)
    for _ in range(repeats):
        elapsed, expected = seconds_of(hashlib_root, data)
        times["hashlib"].append(elapsed)
        for side, (_, argument) in sides.items():
            run = kernels[side]
            elapsed, root = seconds_of(lambda: run(argument).block_until_ready())  # noqa: B023
            times[side].append(elapsed)
            if side != "worlds" and np.asarray(root).tobytes() != expected:
                raise SystemExit(f"{side}: the root differs from hashlib's")
    return report | _summary(times, (1 << height) - 1, jax.devices()[0].platform)


def _summary(times: dict, hashes: int, platform: str) -> dict:
    """Best and median milliseconds, rates, and the ratios to the loop."""
    best = {side: min(values) for side, values in times.items()}
    median = {side: statistics.median(values) for side, values in times.items()}
    return {
        "platform": platform,
        "best_ms": {side: round(1e3 * s, 2) for side, s in best.items()},
        "median_ms": {side: round(1e3 * s, 2) for side, s in median.items()},
        "best_mhash_per_s": {s: round(hashes / 1e6 / t, 2) for s, t in best.items()},
        "speedup_best": _ratios(best),
        "speedup_median": _ratios(median),
    }


def _ratios(seconds: dict) -> dict:
    """How many times faster than the loop each side is."""
    loop = seconds["hashlib"]
    return {k: round(loop / s, 2) for k, s in seconds.items() if k != "hashlib"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--devices", type=int, default=2)
    options = parser.parse_args()
    flags = os.environ.get("XLA_FLAGS", "")
    count = f"--xla_force_host_platform_device_count={options.devices}"
    os.environ["XLA_FLAGS"] = f"{flags} {count}".strip()
    report = measure(options.height, options.repeats)
    print(
        json.dumps(
            {k: round(v, 2) if isinstance(v, float) else v for k, v in report.items()}
        )
    )


if __name__ == "__main__":
    main()
