"""One thread a worker, so that as many workers as cores do not fight over them."""

import os
import subprocess
import sys

from experiments.fleet import environment

COUNT = """
import glob
import jax.numpy as jnp
jnp.ones(4).sum().block_until_ready()
names = [open(path).read().strip() for path in glob.glob("/proc/self/task/*/comm")]
print(sum(name.startswith("tf_XLA") for name in names))
"""


def test_a_worker_computes_on_one_thread():
    variables = {**os.environ, **environment.of_worker()}
    done = subprocess.run(
        [sys.executable, "-c", COUNT], env=variables, capture_output=True, text=True
    )
    assert done.stdout.strip() in ("0", "1"), done.stdout + done.stderr


def test_a_worker_finds_the_packages_and_the_compiled_programs_of_the_driver():
    variables = environment.of_worker({"PYTHONPATH": "/elsewhere", "XLA_FLAGS": "--a"})
    assert variables["PYTHONPATH"].split(os.pathsep) == [
        str(environment.HOME),
        "/elsewhere",
    ]
    assert variables["XLA_FLAGS"].split() == [
        "--a",
        "--xla_cpu_multi_thread_eigen=false",
    ]
    cache = {"JAX_COMPILATION_CACHE_DIR": "/chosen"}
    assert environment.of_worker(cache)["JAX_COMPILATION_CACHE_DIR"] == "/chosen"


def test_the_cache_is_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = environment.compilation_cache({})["JAX_COMPILATION_CACHE_DIR"]
    assert found == str(tmp_path / "shakeout" / "jax")


def test_an_explicit_cpu_platform_means_no_gpu(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert environment.gpu_count() == 0
