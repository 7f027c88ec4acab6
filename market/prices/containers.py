"""The text in a price file: out of a zip or gzip, in whatever encoding it was saved.

The public dumps come as zips of one file, other archives as gzip; spreadsheets save
UTF-16, or UTF-8 with a mark in front. A compressed file is unpacked only up to a bound,
as a small one may hold terabytes.
"""

import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

from market.prices.ticks import PriceError

#: Bytes of a price file, packed or not: about four years of one-minute bars.
MAX_BYTES = 256_000_000

_ASTRAY = (ValueError, KeyError, IndexError, OverflowError, struct.error)
_ADVICE = {
    b"PAR1": "a Parquet file; save it as CSV",
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it, or pack it as zip or gzip",
    b"BZh": "packed with bzip2; unpack it, or pack it as zip or gzip",
    b"\xfd7zXZ": "packed with xz; unpack it, or pack it as zip or gzip",
    b"7z\xbc\xaf": "a 7z archive; unpack it, or pack it as zip or gzip",
    b"\xd0\xcf\x11\xe0": "a spreadsheet; save it as CSV",
    b"%PDF": "a PDF file; name a CSV",
    b"{": "JSON; save it as CSV, a bar a line",
    b"[": "JSON; save it as CSV, a bar a line",
    b"<": "a web page; download the file itself",
}


class KlineError(PriceError):
    """A kline file that cannot be replayed; says where, what and what is allowed."""


def read_price_file(path: str | Path) -> bytes:
    """The bytes of a price file.

    Raises:
        KlineError: it is missing, no regular file, or larger than `MAX_BYTES`.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise KlineError(f"{path}: is not a regular file; name a CSV file")
        if path.stat().st_size > MAX_BYTES:
            raise KlineError(too_large(str(path), path.stat().st_size))
        return path.read_bytes()
    except OSError as error:
        raise KlineError(f"{path}: cannot be read ({error.strerror})") from error


def too_large(name: str, size: int) -> str:
    """What is wrong with a file of so many bytes."""
    return (
        f"{name}: {size:,} bytes; at most {MAX_BYTES:,} are read; cut it to the "
        "minutes that the run uses"
    )


def text_of(data: bytes, name: str) -> str:
    """The text of a price file.

    Raises:
        KlineError: it is packed in a way that is not read, damaged, too large, or
            no text.
    """
    if data.startswith(b"PK\x03\x04"):
        data = _unzipped(data, name)
    elif data.startswith(b"\x1f\x8b"):
        data = _gunzipped(data, name)
    for magic, what in _ADVICE.items():
        if data.startswith(magic):
            raise KlineError(f"{name}: is {what}")
    return _decoded(data, name)


def _unzipped(data: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [
                entry
                for entry in archive.infolist()
                if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
            ]
            if len(members) != 1:
                held = ", ".join(entry.filename for entry in members[:4]) or "nothing"
                raise KlineError(
                    f"{name}: holds {len(members)} files ({held}); a zip of prices "
                    "holds one CSV file"
                )
            with archive.open(members[0]) as file:
                return _bounded(file.read(MAX_BYTES + 1), name)
    except KlineError:
        raise
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or another method
        raise KlineError(f"{name}: cannot be unzipped here ({error})") from None
    # A damaged directory leads the library to places that are none.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, *_ASTRAY) as error:
        raise KlineError(f"{name}: is a damaged zip ({error})") from None


def _gunzipped(data: bytes, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            return _bounded(file.read(MAX_BYTES + 1), name)
    except (zlib.error, EOFError, OSError) as error:
        raise KlineError(f"{name}: is a damaged gzip file ({error})") from None


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > MAX_BYTES:
        raise KlineError(too_large(f"{name}, unpacked", len(data)))
    return data


def _decoded(data: bytes, name: str) -> str:
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise KlineError(
            f"{name}: is not a CSV text file ({error.reason} at byte {error.start:,})"
        ) from None
    if "\0" in text:
        raise KlineError(
            f"{name}: is not a CSV text file (byte 0 in it); save it as UTF-8"
        )
    return text
