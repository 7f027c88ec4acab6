"""A Ray cluster of three nodes on this machine, and what befalls it during a run.

    python -m tests.trials.cluster FOLDER TRIAL...

A trial is one of `TRIALS`. The cluster is started from another folder than the driver,
which is the command in a process of its own, on the toy engine. Prints a line a trial,
with the seconds; exit code 1 where one fails.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tests.trials.drivers import TOY, TOY_CONFIG, start

#: Rows of the toy's experiment, and seconds within which a driver says what is wrong,
#: for each process that has to share a core.
ROWS, ANSWER_S = 48, 20.0
#: Seconds that each shard takes, so that a run lasts.
SLOW = {"TOY_TROUBLE": "slow:0.25@fcfs"}


class Trial:
    """One cluster, one driver."""

    def __init__(self, folder: Path, cluster=None):
        from ray.cluster_utils import Cluster

        self.folder, self.out, self.log = folder, folder / "out", folder / "log"
        folder.mkdir(parents=True)
        (folder / "toy.yaml").write_text(TOY_CONFIG)
        if cluster is not None:
            self.cluster = cluster
            return
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        before = Path.cwd()
        os.chdir(elsewhere)
        try:
            self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
            for _ in range(2):
                self.cluster.add_node(num_cpus=1)
        finally:
            os.chdir(before)

    def drive(self, *options, address: str | None = None, **variables):
        """Starts a driver on the cluster."""
        words = ["run", self.folder / "toy.yaml", "--out", self.out, *options]
        words += ["--ray-address", address or self.cluster.address]
        return start(words, self.log, SHAKEOUT_ENGINE=TOY, **variables)

    def wait_for_parts(self, process, count: int) -> None:
        """Waits until so many shards are done."""
        until = time.monotonic() + 100
        while len(list(self.out.glob("parts/[!.]*"))) < count:
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"no parts: {self.said()}")
            time.sleep(0.05)

    def said(self) -> str:
        """What the driver has printed."""
        return self.log.read_text(errors="replace")

    def is_whole(self, process, timeout_s: float = 100) -> None:
        """All rows, none twice."""
        assert process.wait(timeout_s) == 0, self.said()
        rows = pd.read_parquet(self.out / "runs.parquet")[["point", "run"]]
        assert len(rows) == len(rows.drop_duplicates()) == ROWS

    def is_refused(self, process, words: str) -> None:
        """A message in time, and nothing written."""
        crowd = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        code = process.wait(ANSWER_S * crowd)
        assert code == 2, (code, self.said())
        assert words in self.said(), self.said()
        assert "Traceback" not in self.said()
        assert not self.out.exists()


def a_node_is_lost(trial: Trial) -> None:
    """A node goes, and its worker with it, while shards are under way."""
    process = trial.drive(**SLOW)
    trial.wait_for_parts(process, 6)
    lost = next(iter(trial.cluster.worker_nodes))
    trial.cluster.remove_node(lost, allow_graceful=False)
    trial.is_whole(process)


def a_worker_is_killed(trial: Trial) -> None:
    """The process of a worker is killed; another takes its shard."""
    process = trial.drive(**SLOW)
    trial.wait_for_parts(process, 6)
    os.kill(next(processes("ray::Worker")), signal.SIGKILL)
    trial.is_whole(process)


def there_are_more_workers_than_cpus(trial: Trial) -> None:
    """Seven are asked for where there is room for three."""
    process = trial.drive("--workers", 7)
    trial.is_whole(process)
    assert "3 workers instead of 7: the cluster has 3 CPUs" in trial.said()


def nobody_listens_at_the_address(trial: Trial) -> None:
    """Of three kinds: a closed port, a port that is no Ray's, one that is silent."""
    process = trial.drive(address="127.0.0.1:9")
    trial.is_refused(process, "nobody answers there")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        process = trial.drive(address=f"127.0.0.1:{port}")
        trial.is_refused(process, f"127.0.0.1:{port}")


def the_raylets_are_stopped(trial: Trial) -> None:
    """Its nodes are there for the cluster's head, and place nobody."""
    stopped = list(processes("raylet"))
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    try:
        trial.is_refused(trial.drive(), "--ray-address")
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)


def an_agent_is_killed(trial: Trial) -> None:
    """Without its agent a node prepares no worker; Ray ends such a node."""
    os.kill(next(processes("ray::RuntimeEnvAgent", last=True)), signal.SIGKILL)
    process = trial.drive(**SLOW)
    code = process.wait(100)
    if code == 0:
        trial.is_whole(process)
    else:
        trial.is_refused(process, "--ray-address")


def the_node_of_the_driver_is_lost(trial: Trial) -> None:
    """Ray ends a driver whose node is gone; resumed elsewhere it has all rows."""
    process = trial.drive(**SLOW)
    trial.wait_for_parts(process, 6)
    head = trial.cluster.head_node
    trial.cluster.remove_node(head, allow_graceful=False)
    code = process.wait(100)
    print(code, trial.said()[-1500:])
    words = ["run", trial.folder / "toy.yaml", "--out", trial.out, "--resume"]
    again = start([*words, "--workers", 0], trial.log, SHAKEOUT_ENGINE=TOY)
    trial.is_whole(again)


def the_head_is_lost(trial: Trial) -> None:
    """The workers go on without it, or what is finished is kept, and told."""
    process = trial.drive(**SLOW)
    trial.wait_for_parts(process, 6)
    for head in processes("gcs_server"):
        os.kill(head, signal.SIGKILL)
    code = process.wait(100)
    if code == 0:
        return trial.is_whole(process)
    assert code == 3, (code, trial.said()[-3000:])
    assert "go on with" in trial.said()
    assert len(pd.read_parquet(trial.out / "runs.parquet")) >= 6


def processes(name: str, *, last: bool = False):
    """Numbers of this process's descendants that are called so."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().split(b"\0")[0].decode()
        except OSError:
            continue
        parents[int(folder.name)], names[int(folder.name)] = int(words[1]), command
    found = []
    for process in sorted(names, reverse=last):
        ancestor = process
        while ancestor in parents and ancestor != os.getpid():
            ancestor = parents[ancestor]
        called = names[process].rpartition("/")[2]
        if ancestor == os.getpid() and called.startswith(name):
            found.append(process)
    return iter(found)


TRIALS: dict[str, Callable[[Trial], None]] = {
    trial.__name__: trial
    for trial in (
        a_node_is_lost,
        a_worker_is_killed,
        there_are_more_workers_than_cpus,
        nobody_listens_at_the_address,
        the_raylets_are_stopped,
        an_agent_is_killed,
        the_head_is_lost,
        the_node_of_the_driver_is_lost,
    )
}


#: After these the cluster is as it was.
HARMLESS = {
    nobody_listens_at_the_address.__name__,
    there_are_more_workers_than_cpus.__name__,
    a_worker_is_killed.__name__,
}


def main(folder: Path, chosen: list[str]) -> int:
    """Runs trials; the next has the cluster of the last, where that was kept whole."""
    failed, cluster = 0, None
    for name in chosen or TRIALS:
        began, problem = time.monotonic(), "fine"
        trial = Trial(folder / name, cluster)
        try:
            TRIALS[name](trial)
            cluster = trial.cluster if name in HARMLESS else None
        except Exception as error:
            failed, problem = failed + 1, f"{type(error).__name__}: {error}"
            cluster = None
        finally:
            if cluster is None:
                trial.cluster.shutdown()
        print(f"{name}: {problem} ({time.monotonic() - began:.0f} s)", flush=True)
    if cluster is not None:
        cluster.shutdown()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
