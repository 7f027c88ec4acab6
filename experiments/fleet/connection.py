"""Reaching a Ray cluster, or starting one on this machine that nobody else can reach.

Whatever a cluster does, or fails to do, there is an answer within seconds: Ray's own
calls wait for minutes, or for ever.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.config.errors import ConfigError
from experiments.fleet.deadline import NoAnswerError, patient, within
from experiments.results import files, lock

#: Seconds until somebody listens at an address.
KNOCK_S = 3.0
#: Seconds until a process has joined a cluster.
CONNECT_S = 10.0
#: Seconds for a question to a cluster, and for leaving it.
QUESTION_S, LEAVE_S = 4.0, 2.0
_ADDRESS = re.compile(r"(?:ray://)?\[?(?P<host>[^/\[\]]+?)\]?:(?P<port>\d{1,5})")
_FOLDER = "shakeout-ray-"
_QUIET: dict[str, Any] = {
    "log_to_driver": False,
    "logging_level": "error",
    "configure_logging": True,
}


@contextlib.contextmanager
def joined(address: str) -> Iterator[None]:
    """A part in a running cluster.

    Raises:
        ConfigError: there is none, or it does not answer in time.
    """
    import ray

    _knock(address)
    _try(address)
    try:
        within(patient(CONNECT_S), lambda: ray.init(address=address, **_QUIET))
    except NoAnswerError as error:
        raise ConfigError(f"--ray-address {address}: {error}: {_LOOK}") from None
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ConfigError(f"--ray-address {address}: {error}") from None
    try:
        yield
    finally:
        _leave()


_LOOK = "is a Ray cluster of this version running there (`ray status`)?"
#: What another process does first: Ray ends a process that cannot join a node.
_TRIAL = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="error")
ray.nodes()
"""


def _try(address: str) -> None:
    """Joins the cluster in a process of its own, which Ray may end or never answer."""
    limit = patient(CONNECT_S)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TRIAL, address],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        problem = f"no answer within {limit:.0f} s"
    else:
        if done.returncode == 0:
            return
        problem = (done.stderr.strip().splitlines() or ["Ray ended the process"])[-1]
    raise ConfigError(f"--ray-address {address}: {problem}: {_LOOK}")


def _knock(address: str) -> None:
    """Finds out whether anybody listens at ``host:port``."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return  # `auto` and the like: Ray knows at once whether there is one
    try:
        socket.create_connection((found["host"], int(found["port"])), KNOCK_S).close()
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"--ray-address {address}: nobody answers there ({reason}): {_LOOK}"
        ) from None


@contextlib.contextmanager
def started(cpus: int, gpus: int) -> Iterator[None]:
    """A cluster on this machine, for this process alone, which listens on loopback.

    An address in the environment (RAY_ADDRESS) is of no concern to it. What Ray writes
    goes to a temporary folder that is removed at the end; after a crash, at the next
    start.

    Raises:
        ConfigError: it does not start.
    """
    import ray

    base = Path(os.environ.get("RAY_TMPDIR") or _short_temporary_folder())
    _remove_old(base)
    folder = base / f"{_FOLDER}{uuid.uuid4().hex[:8]}"
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}: Ray needs a folder") from None
    try:
        with lock.held(folder), _on_loopback():
            try:
                with _kept_handlers():
                    # In this thread: Ray's processes end with the thread that they
                    # were started from.
                    ray.init(
                        address="local",
                        num_cpus=cpus,
                        num_gpus=gpus or None,
                        include_dashboard=False,
                        _temp_dir=str(folder),
                        **_QUIET,
                    )
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise ConfigError(f"Ray on this machine: {error}") from None
            try:
                yield
            finally:
                _leave()
    finally:
        files.remove(folder)


@contextlib.contextmanager
def _kept_handlers() -> Iterator[None]:
    """Ray sets handlers of its own when it starts; the lab's, or a notebook's, stay."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def _short_temporary_folder() -> str:
    """Names of sockets have some hundred characters, and Ray's are long."""
    return "/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir()


def _remove_old(base: Path) -> None:
    """Removes folders whose process is gone; it held a lock while it lived."""
    for folder in base.glob(f"{_FOLDER}*"):
        with contextlib.suppress(ConfigError, OSError):
            if (folder / lock.NAME).exists() and folder.stat().st_uid == os.getuid():
                with lock.held(folder):
                    files.remove(folder)


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Ray's processes that start meanwhile listen on loopback, as on macOS.

    Elsewhere Ray takes an address of 127.0.0.1 for a mistake and listens on all
    interfaces. Its name for the setting speaks of other systems.

    Source: ``ray/_private/services.py`` (`get_node_ip_address`) of Ray 2.50 to 2.60.
    """
    from ray._private import ray_constants

    name = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
    before, flag = os.environ.get(name), ray_constants.ENABLE_RAY_CLUSTER
    os.environ[name], ray_constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = flag
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _leave() -> None:
    """Leaves the cluster; one that this process started ends."""
    import ray

    with contextlib.suppress(NoAnswerError):
        within(LEAVE_S, ray.shutdown)


def living_nodes() -> dict[str, dict[str, float]]:
    """The resources of every node that is alive, by Ray's number of the node.

    Raises:
        NoAnswerError: the cluster does not say.
    """
    import ray

    nodes = within(patient(QUESTION_S), ray.nodes)
    return {node["NodeID"]: node["Resources"] for node in nodes if node["Alive"]}
