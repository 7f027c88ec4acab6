"""Whether the machine has room for an experiment, found out before it starts.

Runs side by side in a program multiply the memory of one, and so do workers; results
fill a disk. Both are reckoned from shapes alone, so they are rough: an experiment is
refused only where what it would take is more than there is.
"""

import os
import shutil
from pathlib import Path

from experiments.config.errors import ConfigError
from experiments.fleet.plan import choose_width
from experiments.preparation import Prepared

_CGROUP = Path("/sys/fs/cgroup")
#: Bytes of a number in a results file; Parquet's encodings rarely need more.
_STORED = 4


def check_room(prepared: Prepared, out: Path, workers: int, on_gpu: bool) -> None:
    """Refuses an experiment that this machine cannot hold.

    Args:
        prepared: what is to be run.
        out: the run directory.
        workers: processes on this machine that share the runs; 0 for this one.
        on_gpu: whether worlds live on a GPU, whose memory is not looked at.

    Raises:
        ConfigError: more memory or disk would be taken than is free; says how much,
            by what, and which keys make it less.
    """
    if not on_gpu:
        _check_memory(prepared, workers)
    _check_disk(prepared, out)


def _check_memory(prepared: Prepared, workers: int) -> None:
    config = prepared.experiment.config
    total = len(prepared.worlds) * config.runs
    lanes = choose_width(config.plan.lanes, total, total, workers, False)
    sizes = [prepared.engine.lane_bytes(world) for world in prepared.worlds]
    largest = max(sizes)
    need, free = largest * lanes * max(workers, 1), free_memory()
    if free is None or need <= free:
        return
    point = prepared.experiment.points[sizes.index(largest)]
    agents = prepared.experiment.configs[point.number].participants
    raise ConfigError(
        f"point {point.number} ({point.label}) needs about {_gb(need)} of memory, "
        f"{_gb(free)} are free: {_gb(largest)} a run ({agents:,} accounts, "
        f"{config.world.length:,} blocks), {lanes} runs at a time (plan.lanes) in "
        f"{max(workers, 1)} processes (plan.workers); make one of them less"
    )


def _check_disk(prepared: Prepared, out: Path) -> None:
    experiment = prepared.experiment
    runs = len(experiment.points) * experiment.config.runs
    numbers = len(prepared.metrics) + len(experiment.axes)
    for config in experiment.configs[:1]:
        shape = prepared.engine.layout(config)
        samples = -(-shape.blocks // shape.series_every)
        numbers += samples * sum(
            len(shape.markets) if series.per_market else 1
            for series in prepared.engine.SERIES.values()
        )
    # Parts and the tables made of them are there at the same time.
    need, free = 2 * runs * numbers * _STORED, _free_disk(out)
    if free is not None and need > free:
        raise ConfigError(
            f"--out {out}: the tables of {runs:,} runs need about {_gb(need)}, "
            f"{_gb(free)} are free there; choose another --out, fewer runs, or a "
            "larger world.series_every"
        )


def free_memory() -> int | None:
    """Bytes of memory that this process may still take; None where nobody says."""
    found = [each for each in (_of_machine(), _of_container()) if each is not None]
    return min(found) if found else None


def _of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _of_container() -> int | None:
    try:
        most = (_CGROUP / "memory.max").read_text().strip()
        taken = (_CGROUP / "memory.current").read_text().strip()
        return int(most) - int(taken)
    except (OSError, ValueError):
        return None  # no container, or one without a bound


def _free_disk(out: Path) -> int | None:
    place = out.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
