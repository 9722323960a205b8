"""One folder's event file and what it has been told so far.

Imported by the TensorBoard sink only, once it is constructed; with it comes all that a write needs.
"""

from __future__ import annotations

import os
import time

from tensorboard.compat.proto.event_pb2 import Event, SessionLog

from ...evaluation import Evaluation
from .event_file import EventFile
from .layout import layout
from .values import Channel

_prefixes: dict[str, dict[str, None]] = {}
"""Of every folder: the page shows the newest layout alone, so each has to name the prefixes of all boards there."""


class Board:
    """Turns evaluations into events and appends them to a new file in `folder`. Every method may raise OSError."""

    def __init__(self, folder: str) -> None:
        self._file = EventFile(folder)
        self._prefixes = _prefixes.setdefault(os.path.realpath(folder), {})
        self._channels: dict[tuple[str, str], Channel] = {}
        self._laid_out: tuple[str, ...] = ()

    def write(self, evaluation: Evaluation) -> None:
        """One event with all values; with the layout too where it has changed."""
        key = evaluation.name, evaluation.mode
        if key not in self._channels:
            self._channels[key] = Channel(*key)
        channel = self._channels[key]
        event = Event(wall_time=evaluation.time, step=evaluation.step)
        self._prefixes[channel.prefix] = None
        prefixes = tuple(self._prefixes)
        if prefixes != self._laid_out:
            event.summary.value.append(layout(prefixes))
        channel.add(evaluation, event.summary.value)
        try:
            self._file.append(event)
        except BaseException:
            channel.lost()
            raise
        self._laid_out = prefixes

    def purge(self, step: int) -> None:
        """What was written to this folder for `step` or later is hidden; the layout and the verdict come again."""
        self._file.append(Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START)))
        self._laid_out = ()
        for channel in self._channels.values():
            channel.rewind(step)

    def finish(self) -> None:
        """Write the last state strips and close the file."""
        try:
            for channel in self._channels.values():
                step, seconds = channel.last
                event = Event(wall_time=seconds, step=step)
                if channel.add_strip(event.summary.value):
                    self._file.append(event)
        finally:
            self._file.close()
