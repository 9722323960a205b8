"""Appending to a log so that it holds complete records only, whatever happens to the process or to the disk."""

from __future__ import annotations

import contextlib
import io
import os


def is_gone(file: io.FileIO, path: str | os.PathLike[str]) -> bool:
    """Return True if the path does not lead to an open file any more: it was removed, moved or replaced."""
    try:
        return not os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return True


def append(file: io.FileIO, record: bytes | bytearray) -> None:
    """Hand the complete record to the operating system, or cut off the written part and raise OSError.

    The file is unbuffered: a record outlives a killed process, and no rest of a failed write can appear in front of the
    next record.
    """
    rest = memoryview(record)
    start = file.seek(0, os.SEEK_END)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except BaseException:
        with contextlib.suppress(OSError):
            file.truncate(start)
        raise
