"""The proving-time law in a file: measured once, used by stress runs.

`shakeout law FILE` times the prover on this machine; `rollup.proving_law: FILE` makes
the lab's prover as slow as that. The pipeline of batches is affine in transactions,
the measured law a staircase in updates: the line goes through its first step and the
step of `FAR_UPDATES`, with two updates (two parties) to a transaction.
"""

import json
from pathlib import Path
from typing import NamedTuple

from experiments.config.errors import ConfigError
from experiments.config.files import MB, read_json
from experiments.config.values import wrong_value

FAR_UPDATES = 4096
UPDATES_PER_TX = 2
MAX_LAW_BYTES = 1 * MB


class AffineLaw(NamedTuple):
    """Microseconds to prove a batch: ``batch_us + tx_us * transactions``."""

    batch_us: int
    tx_us: int


def read_law(path: Path) -> AffineLaw:
    """The line through a measured law.

    Raises:
        ValueError: the file is missing or holds no law.
    """
    from rollup.stark.prove.timing import ProvingLaw

    try:
        law = ProvingLaw.from_dict(read_json(path, MAX_LAW_BYTES))
        near, far = law.microseconds(1), law.microseconds(FAR_UPDATES)
    except ConfigError as problem:
        raise wrong_value(str(problem)) from None
    except (ValueError, KeyError, TypeError, OverflowError) as problem:
        raise wrong_value(f"{path}: holds no proving law ({problem})") from None
    return AffineLaw(near, max(far - near, 0) * UPDATES_PER_TX // FAR_UPDATES)


def measure(path: Path) -> AffineLaw:
    """Times the prover and writes the law; returns the line through it."""
    from rollup.stark.prove.timing import measure_law

    law = measure_law()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(law.to_dict(), indent=2) + "\n", "utf-8")
    return read_law(path)
