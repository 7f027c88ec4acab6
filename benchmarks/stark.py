"""Times the proof system; prints one JSON line a figure.

    python -m benchmarks.stark [--updates 4096] [--repeats 3] [--quick]

``wall`` figures depend on what else the machine does; ``cpu`` figures are the seconds
of all cores together, so cpu / 2 is what two idle cores need at best.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

from rollup.commitments.hashing.poseidon2 import compress
from rollup.stark.fields.field import KOALABEAR
from rollup.stark.fields.ntt import low_degree_extension
from rollup.stark.prove.parallel import over_blocks
from rollup.stark.prove.prover import prove
from rollup.stark.prove.timing import sample_batch
from rollup.stark.rules.parameters import StarkParameters
from rollup.stark.verify.soundness import soundness_bits
from rollup.stark.verify.verifier import verify


def report(name: str, value: float, unit: str, **more) -> None:
    print(json.dumps({"name": name, "value": value, "unit": unit, **more}), flush=True)


def best_of(work, repeats: int) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def kernels(repeats: int) -> None:
    rng = np.random.default_rng(0)
    lanes, blocks = 4096, 32
    pairs = rng.integers(0, KOALABEAR.p, (16, lanes), dtype=np.uint32)
    states = [jnp.asarray(pairs) for _ in range(blocks)]

    def hashes():
        over_blocks(lambda x: compress(x).block_until_ready(), states)

    seconds = best_of(hashes, repeats)
    start = time.process_time()
    hashes()
    cpu = time.process_time() - start
    count = lanes * blocks
    report(
        "poseidon2_koalabear16",
        round(count / seconds),
        "permutations/s",
        per_cpu_second=round(count / cpu),
    )
    columns = jnp.asarray(rng.integers(0, KOALABEAR.p, (16, 1 << 16), dtype=np.uint32))
    extend = best_of(
        lambda: low_degree_extension(columns, 4, 3).block_until_ready(), repeats
    )
    report("extend_16_columns_2^16_by_4", extend * 1e3, "ms")


def whole_proof(updates: int, repeats: int) -> None:
    parameters = StarkParameters().for_updates(updates)
    batch = sample_batch(1 << parameters.height, updates)
    for attempt in range(repeats + 1):
        clock: dict = {}
        start, cpu = time.perf_counter(), time.process_time()
        proven = prove(*batch, parameters, clock)
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        stages = {k: round(v, 3) for k, v in clock.items()}
        report(
            "prove_first" if attempt == 0 else "prove",
            wall,
            "s",
            cpu_s=round(cpu, 2),
            updates=updates,
            updates_per_s=round(updates / wall, 1),
            stages=stages,
        )
    seconds = best_of(lambda: verify(proven.proof, proven.public), 3)
    verdict = verify(proven.proof, proven.public)
    report("verify", seconds, "s", accepted=verdict.ok)
    report("proof", len(proven.proof), "bytes")
    sound = soundness_bits(parameters)
    report("soundness", round(sound["bits"], 1), "bits", regime=sound["regime"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report("peak_memory", round(peak), "MiB")


def first_proof(updates: int) -> None:
    """In a child: seconds of the first proof beyond a second one."""
    parameters = StarkParameters().for_updates(updates)
    batch = sample_batch(1 << parameters.height, updates)
    times = []
    for _ in range(2):
        start = time.perf_counter()
        prove(*batch, parameters)
        times.append(time.perf_counter() - start)
    print(times[0] - times[1])


def compilation(updates: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "JAX_COMPILATION_CACHE_DIR": folder,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        command = [sys.executable, "-m", "benchmarks.stark", "--child", str(updates)]
        for name in ("compile_cold", "compile_cached"):
            out = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=True
            )
            report(name, float(out.stdout.split()[-1]), "s", updates=updates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="256 updates, once")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        first_proof(arguments.child)
        return
    updates = 256 if arguments.quick else arguments.updates
    repeats = 1 if arguments.quick else arguments.repeats
    device = jax.devices()[0].platform
    report("cores", len(os.sched_getaffinity(0)), "cores", device=device)
    kernels(repeats)
    whole_proof(updates, repeats)
    compilation(updates)


if __name__ == "__main__":
    main()
