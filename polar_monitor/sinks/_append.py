"""Appending to a log so that it holds whole records only, whatever happens to the process or to the disk."""

from __future__ import annotations

import contextlib
import io
import os


def append(file: io.FileIO, record: bytes | bytearray) -> None:
    """Hand the whole record to the operating system, or cut off what was written of it and raise OSError.

    The file is unbuffered: what was appended outlives a killed process, and what a failed write leaves behind cannot
    come out in front of the next record.
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
