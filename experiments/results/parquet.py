"""Parquet files that carry the identity of their experiment.

The identity is the hash of the config (`Experiment.hash`), kept in the metadata of the
schema. A file of another experiment is refused, and one that cannot be read is named.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.config.errors import ConfigError

_MARK = b"shakeout.experiment"


def marked(table: pa.Table, identity: str) -> pa.Table:
    """The table with its experiment's identity in the metadata."""
    return table.replace_schema_metadata({_MARK: identity.encode()})


def mark_of(path: Path) -> str | None:
    """The identity of the experiment that a file is of; None where it has none.

    Raises:
        ConfigError: it is no Parquet file, or is damaged.
    """
    with readable(path):
        found = (pq.read_schema(path).metadata or {}).get(_MARK)
    return None if found is None else found.decode(errors="replace")


def write(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> int:
    """Writes tables one after the other, a row group each; how many rows they have."""
    count = 0
    with pq.ParquetWriter(path, schema) as writer:
        for table in tables:
            if table.num_rows:
                fitted = table.cast(schema)
                writer.write_table(fitted, row_group_size=table.num_rows)
                count += table.num_rows
    return count


def read(path: Path, identity: str, columns: list[str] | None = None) -> pa.Table:
    """A table, or some columns of it.

    Raises:
        ConfigError: it cannot be read, lacks a column, or is another experiment's.
    """
    check_mark(path, identity)
    with readable(path):
        missing = set(columns or ()) - set(pq.read_schema(path).names)
        if missing:
            raise ConfigError(f"{path}: lacks the columns {', '.join(sorted(missing))}")
        return pq.read_table(path, columns=columns)


def check_mark(path: Path, identity: str) -> None:
    """Refuses a file of another experiment.

    Raises:
        ConfigError: it is one, or cannot be read.
    """
    found = mark_of(path)
    if found != identity:
        raise ConfigError(f"{path}: {of_another(found, identity)}")


def of_another(found: str | None, identity: str) -> str:
    """What is wrong with something that carries that identity instead of this."""
    whose = f"is of the experiment {found[:12]}" if found else "is of no experiment"
    return (
        f"{whose}, and the run directory holds {identity[:12]}; remove it, or run the "
        "experiment again with --overwrite"
    )


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns whatever reading a Parquet file raises into a sentence that names it.

    Raises:
        ConfigError: it is missing, no file, no Parquet, or damaged.
    """
    if not path.is_file():
        state = "is no file" if path.exists() else "is missing"
        raise ConfigError(f"{path}: {state}")
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"{path}: is damaged ({first}); run the experiment again with --resume"
        ) from None
