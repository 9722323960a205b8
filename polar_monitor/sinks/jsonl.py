"""Evaluations as JSON lines: one line each, appended and flushed, for `read_jsonl` and for a replay.

`jsonl_record` says what a line holds: every statistic of the snapshot that is known, so a new field of `Snapshot` is in
the log without a change here.
"""

from __future__ import annotations

import mmap
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError
from ..evaluation import Evaluation
from ._append import append
from .jsonl_reader import decode
from .jsonl_reader import read_jsonl as read_jsonl
from .jsonl_reader import read_numbered as read_numbered
from .jsonl_record import to_line as to_line

BEGINNING = b'{"version":'
"""First bytes of every log. A file with other first bytes is never appended to and never repaired."""


class JsonlSink:
    """Appends every evaluation to `path` as one line; a killed process loses at most the last one.

    Before anything is appended, a truncated last line of a killed run is cut off. Parent folders are made. In a forked
    process every method does nothing. Raises PolarMonitorError if the file cannot be written to or is not such a log.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _repair(self.path)
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise PolarMonitorError(
                f"cannot write to {str(self.path)!r} ({error.strerror or error}); "
                "pass a path in a folder that can be written to, or leave this sink out"
            ) from error
        self._setups: dict[str, Mapping[str, Any]] = {}
        self._pid = os.getpid()
        self._at_exit = weakref.finalize(self, self._file.close)

    def begin(self, name: str, setup: Mapping[str, Any]) -> None:
        """Keep the settings that the alerts of the latent `name` depend on; every line has them, for a replay."""
        self._setups[name] = setup

    def write(self, evaluation: Evaluation) -> None:
        """Append one line. Raises OSError if the disk fails."""
        if os.getpid() != self._pid:
            return
        if not self._at_exit.alive:
            raise PolarMonitorError("this JsonlSink is closed: make a new one with the same path to go on")
        append(self._file, to_line(evaluation, self._setups.get(evaluation.name)))

    def flush(self) -> None:
        """Do nothing: `write` hands every line to the operating system."""

    def close(self) -> None:
        """Close the file."""
        if os.getpid() == self._pid:
            self._at_exit()


def _repair(path: Path) -> None:
    """Cut off a truncated last line, or give a complete one its newline."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with open(path, "r+b") as file:
        head = file.read(len(BEGINNING))
        if not BEGINNING.startswith(head):
            raise PolarMonitorError(f"{str(path)!r} holds something else than a log of evaluations; pass another path")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as bytes_:
            end = bytes_.rfind(b"\n") + 1
            tail = bytes_[end:]
        if not tail:
            return
        try:
            decode(tail)
        except (ValueError, RecursionError):
            file.truncate(end)
        else:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")
