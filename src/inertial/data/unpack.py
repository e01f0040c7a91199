"""The bytes of a file, unpacked: regular files only, and never more than fits.

A file may be packed with gzip, bzip2, xz or zip; its first bytes tell.  Nothing is unpacked to
disk.  A FIFO, a device, a damaged file and one that unpacks to more than `MOST_BYTES` raise
`InvalidInput`.
"""

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import cast

from inertial import files
from inertial._checks import InvalidInput

MOST_BYTES = 1 << 29
"""Bytes that a file may have, packed or not: half a gibibyte."""

MOST_CELLS = 1 << 27
"""Cells that a table may have: a gibibyte of float64."""

MOST_COLUMNS = 100_000
"""Columns that a table may have."""

_XZ_MEMORY = 1 << 28
"""Memory that unpacking xz may take; its highest preset takes a quarter of this."""

_CHUNK = 1 << 20


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the bytes of a file, unpacked if they are packed, at most `most` of them."""
    content = files.read(path, most)
    try:
        return _unpacked(content, path, most)
    except (InvalidInput, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - a damaged archive makes its reader raise anything
        raise InvalidInput(
            f"{path} is truncated or damaged inside its {_packing(content)} packing; copy or "
            f"download it again."
        ) from None


def check_size(columns: int, cells: int, path: Path) -> None:
    """Refuse a table that would not fit, before memory is taken for it."""
    for count, most, what in (
        (columns, MOST_COLUMNS, "columns"),
        (cells, MOST_CELLS, "cells"),
    ):
        if count > most:
            raise InvalidInput(
                f"{path} holds {count:,} {what} where {most:,} fit; take a part of its rows or "
                f"columns into a file of their own."
            )


def _packing(content: bytes) -> str:
    signs = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"PK\x03\x04": "zip"}
    return next((name for sign, name in signs.items() if content.startswith(sign)), "")


def _unpacked(content: bytes, path: Path, most: int) -> bytes:
    match _packing(content):
        case "gzip":
            return _limited(gzip.GzipFile(fileobj=io.BytesIO(content)), path, most)
        case "bzip2":
            return _limited(bz2.BZ2File(io.BytesIO(content)), path, most)
        case "xz":
            return _xz(content, path, most)
        case "zip":
            return _zip(content, path, most)
    return content


def _limited(file: io.BufferedIOBase, path: Path, most: int) -> bytes:
    content = io.BytesIO()
    while chunk := file.read(_CHUNK):
        if content.tell() + len(chunk) > most:
            raise _too_large(path, most)
        content.write(chunk)
    return content.getvalue()


def _too_large(path: Path, most: int) -> InvalidInput:
    return InvalidInput(
        f"{path} holds more than {most >> 20} MiB unpacked; take a part of its rows into a file "
        f"of their own."
    )


def _xz(content: bytes, path: Path, most: int) -> bytes:
    parts, total = [], 0
    while content.strip(b"\0"):
        stream = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        chunk = stream.decompress(content, max_length=most + 1 - total)
        parts.append(chunk)
        total += len(chunk)
        if total > most:
            raise _too_large(path, most)
        if not stream.eof:
            raise EOFError
        content = stream.unused_data
    return b"".join(parts)


def _zip(content: bytes, path: Path, most: int) -> bytes:
    """Return the one file in an archive, without those that macOS adds."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [
            item
            for item in archive.infolist()
            if not item.is_dir() and not item.filename.startswith("__MACOSX/")
        ]
        if len(names) != 1:
            raise InvalidInput(
                f"{path} is an archive of {len(names)} files; unpack it and give the table itself."
            )
        with archive.open(names[0]) as file:
            return _limited(cast("io.BufferedIOBase", file), path, most)
