"""The event file of one folder, with what the next event depends on.

Imported by the TensorBoard sink only, once it is constructed; this import loads all that a write needs.
"""

from __future__ import annotations

import os
import time

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary

from ...evaluation import Evaluation
from .event_file import EventFile
from .layout import layout
from .overview import add_row
from .protobuf import event
from .values import EvaluationValues

_prefixes: dict[str, dict[str, None]] = {}
"""Prefixes of each folder: the page shows the newest layout only, so it names the prefixes of all boards there."""


class Board:
    """Turns evaluations into events and appends them to a new file in `folder`. Every method may raise OSError."""

    def __init__(self, folder: str) -> None:
        self._folder, self._file = folder, EventFile(folder)
        self._prefixes = _prefixes.setdefault(os.path.realpath(folder), {})
        self._values: dict[tuple[str, str], EvaluationValues] = {}
        self._written_layout: tuple[str, ...] = ()
        self._has_row = False
        """True if the run has its row on the HParams page."""

    def write(self, evaluation: Evaluation) -> None:
        """Append one event with all values of an evaluation, and the layout if it has changed."""
        if self._file.is_gone:
            self._open_new_file()
        key = evaluation.name, evaluation.mode
        if key not in self._values:
            self._values[key] = EvaluationValues(*key)
        of_key = self._values[key]
        self._prefixes[of_key.prefix] = None
        prefixes = tuple(self._prefixes)
        summary = of_key.summary(evaluation)
        first = not self._has_row and evaluation.snapshot is not None
        if first:
            row = Summary()
            add_row(row.value, evaluation)
            summary += row.SerializeToString()
        if prefixes != self._written_layout:
            summary += Summary(value=[layout(prefixes)]).SerializeToString()
        try:
            self._file.append(event(evaluation.time, evaluation.step, summary))
        except BaseException:
            of_key.repeat_changes()
            raise
        self._written_layout = prefixes
        self._has_row = self._has_row or first

    def _open_new_file(self) -> None:
        """Go on in a new file: another program has removed the one before."""
        self._file.close()
        os.makedirs(self._folder, exist_ok=True)
        self._file, self._written_layout = EventFile(self._folder), ()
        for of_key in self._values.values():
            of_key.repeat_changes()

    def purge(self, step: int) -> None:
        """Hide the events of this folder at `step` or later; the next event has layout and verdict again."""
        start = Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START))
        for _ in range(2):  # TensorBoard takes the first one of a folder for the beginning of a run, and hides nothing
            self._file.append(start.SerializeToString())
        self._written_layout = ()
        for of_key in self._values.values():
            of_key.rewind(step)

    def finish(self) -> None:
        """Write the last state strips and close the file."""
        try:
            for of_key in self._values.values():
                step, seconds = of_key.last
                summary = Summary()
                if of_key.add_strip(summary.value):
                    self._file.append(event(seconds, step, summary.SerializeToString()))
        finally:
            self._file.close()
