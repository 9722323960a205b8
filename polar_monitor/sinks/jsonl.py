"""Evaluations as JSON lines: one line each, appended and flushed, for `read_jsonl` and for a replay.

`jsonl_record` says what a line holds: every statistic of the snapshot that is known, so a new field of `Snapshot` is in
the log without a change here.
"""

from __future__ import annotations

import json
import mmap
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError, warn
from ..evaluation import Evaluation
from ..regime.regime import Verdict
from ._append import append, is_gone
from ._lock import LogLock, lock_of
from .drawing_schedule import DrawingSchedule
from .jsonl_reader import decode
from .jsonl_reader import read_jsonl as read_jsonl
from .jsonl_reader import read_numbered as read_numbered
from .jsonl_record import to_line as to_line

BEGINNING = b'{"version":'
"""First bytes of every log. A file with other first bytes is never appended to and never repaired."""
REMOVED = "removed or replaced"
HISTOGRAMS_EVERY = 8
"""Evaluations after which a line has histograms again, at the next full one."""


class JsonlSink:
    """Appends every evaluation to `path` as one line; a killed process loses at most the last one.

    Before anything is appended, a truncated last line of a killed run is cut off. Parent folders are made. In a forked
    process every method does nothing. Raises PolarMonitorError if the file cannot be written to or is not such a log.
    From the first line on, no other process may write to the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from .distributions import distributions  # it needs the kernels, which a reader of logs does without

        self._histograms = distributions
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.path.exists() or lock_of(self.path) is not None:  # else the last line may be half written
                _repair(self.path)
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise PolarMonitorError(
                f"cannot write to {str(self.path)!r} ({error.strerror or error}); "
                "pass a path in a folder that can be written to, or leave this sink out"
            ) from error
        self._setups: dict[str, Mapping[str, Any]] = {}
        self._drawings: dict[tuple[str, str], DrawingSchedule] = {}
        self._verdicts: dict[tuple[str, str], Verdict | None] = {}
        """Verdict of the newest line of each latent and mode."""
        self._lock: LogLock | None = None
        self._names: set[str] = set()
        """Names of the latents that have a line of this run."""
        self.reused = False
        """True if the log held an earlier run of the same latent, which this one does not continue."""
        self.loss = ""
        """Sentence about records of this run that another program has taken away; '' for none."""
        self._end = 0
        """Size of the file after the latest record."""
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
        self._find_file()
        if not self.claim():
            raise PolarMonitorError(f"another process writes to {str(self.path)!r}: pass another path or log_dir=")
        if evaluation.name not in self._names:
            self._begin_run(evaluation)
        key = evaluation.name, evaluation.mode
        schedule = self._drawings.setdefault(key, DrawingSchedule(HISTOGRAMS_EVERY))
        verdict = None if evaluation.regime is None else evaluation.regime.verdict
        full = evaluation.snapshot is not None and evaluation.snapshot.full
        drawn = schedule.due(full, verdict is not self._verdicts.get(key))
        histograms = self._histograms(evaluation.snapshot) if drawn and evaluation.snapshot is not None else None
        try:
            append(self._file, to_line(evaluation, self._setups.get(evaluation.name), histograms))
        except BaseException:
            schedule.repeat()
            raise
        self._verdicts[key] = verdict
        self._end = self._file.tell()

    def _find_file(self) -> None:
        """Make the file again if another program has removed it, and warn, once, if records are missing."""
        change = self._change()
        if change == REMOVED:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._at_exit()
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
            self._at_exit, self._lock = weakref.finalize(self, self._file.close), None
        if change and not self.loss:
            self.loss = f"{self._loss_by(change)}, later ones are written there"
            warn(self.loss)
        self._end = 0

    def _change(self) -> str:
        """Return the change that another program has made to the file since the latest record; '' for none."""
        if is_gone(self._file, self.path):
            return REMOVED
        return "cut" if os.fstat(self._file.fileno()).st_size < self._end else ""

    def _loss_by(self, change: str) -> str:
        return f"{str(self.path)!r} was {change} while this run wrote to it: records of earlier evaluations are missing"

    def claim(self) -> bool:
        """Take the log for this process. Returns False if another one has it."""
        self._lock = self._lock or lock_of(self.path)
        return self._lock is not None

    def resume(self, step: int) -> None:
        """Expect an earlier run in the log: this one continues it."""
        self._names.update(self._setups)

    def _begin_run(self, evaluation: Evaluation) -> None:
        """Warn of an earlier run of the latent: the readers of a log keep the later run."""
        _repair(self.path)
        self._names.add(evaluation.name)
        if evaluation.resumed is None and _has_run_of(self.path, evaluation.name):
            self.reused = True
            warn(
                f"{str(self.path)!r} has an earlier run, and this one is written after it: replay and read_jsonl keep "
                "the later one, TensorBoard mixes both. Pass a log_dir= of its own, or go on with "
                "monitor.load_state_dict()"
            )

    def flush(self) -> None:
        """Do nothing: `write` hands every line to the operating system."""

    def close(self) -> None:
        """Close the file. What another program has done to it since the latest record is in `loss` then."""
        if os.getpid() == self._pid:
            if self._at_exit.alive and self._end and (change := self._change()):
                self.loss = self.loss or self._loss_by(change)
            self._at_exit()
            self._lock = None


def _has_run_of(path: Path, name: str) -> bool:
    """Return True if a log has a record of the latent."""
    if not path.stat().st_size:
        return False
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as bytes_:
        return bytes_.find(f'"name":{json.dumps(name)}'.encode()) >= 0


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
