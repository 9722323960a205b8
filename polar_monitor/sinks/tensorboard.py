"""Evaluations as TensorBoard events, one event each, without torch's SummaryWriter.

The tags are listed in `_values`. TensorBoard is imported when a sink is constructed, not before.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import time
import weakref
from datetime import datetime
from typing import Any

from ..errors import PolarMonitorError
from ..evaluation import Evaluation

QUEUE = 1_000_000
"""Events that may wait for the disk: put() blocks the training when they are too many."""
FLUSH_SECONDS = 5.0
"""Oldest that an event may be before its thread writes it out."""

_log = logging.getLogger("polar_monitor")


def default_log_dir() -> str:
    """Where `torch.utils.tensorboard.SummaryWriter()` would write, so that both share one run."""
    return os.path.join("runs", datetime.now().strftime("%b%d_%H-%M-%S") + "_" + socket.gethostname())


class TensorBoardSink:
    """Writes every evaluation to an event file in `log_dir` (None: where torch's SummaryWriter would).

    `purge_step` is the step from which a resumed run goes on: TensorBoard hides what an earlier run wrote to the same
    folder at that step or later. What was written is safe at a normal exit, after an exception and after sys.exit,
    also without `close`. In a forked process every method does nothing. Raises PolarMonitorError if the folder cannot
    be written to.

    Example:
        >>> sink = TensorBoardSink("runs/beta4")                        # doctest: +SKIP
        >>> resumed = TensorBoardSink("runs/beta4", purge_step=12_000)  # doctest: +SKIP
    """

    def __init__(self, log_dir: str | os.PathLike[str] | None = None, *, purge_step: int | None = None) -> None:
        if purge_step is not None and purge_step < 0:
            raise PolarMonitorError(f"purge_step: expected the step the run resumes at (0 or more), got {purge_step}")
        self.log_dir = default_log_dir() if log_dir is None else os.fspath(log_dir)
        _check_writable(self.log_dir)

        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._pid = os.getpid()
        self._writer = EventFileWriter(self.log_dir, QUEUE, FLUSH_SECONDS, ".polar")
        self._channels: dict[tuple[str, str], Any] = {}
        self._last: dict[str, tuple[int, float]] = {}
        if purge_step is not None:
            self._purge(purge_step)
        self._at_exit = weakref.finalize(self, _finish_quietly, self._writer, self._channels, self._last, self._pid)

    def write(self, evaluation: Evaluation) -> None:
        """Queue one event with all of the evaluation's values. Raises OSError if the disk failed before."""
        if os.getpid() != self._pid:
            return
        if not self._at_exit.alive:
            raise PolarMonitorError("this TensorBoardSink is closed: make a new one with the same log_dir to go on")
        from ._layout import layout
        from ._values import Channel

        key = evaluation.name, evaluation.mode
        values = []
        if key not in self._channels:
            self._channels[key] = Channel(*key)
            values.append(layout(channel.prefix for channel in self._channels.values()))
        channel = self._channels[key]
        values += channel.values(evaluation)
        self._last[channel.prefix] = evaluation.step, evaluation.time
        self._writer.add_event(_event(evaluation.step, evaluation.time, values))

    def resume(self, step: int) -> None:
        """The run goes on after `step`: TensorBoard hides what was written to this folder for later steps."""
        if os.getpid() == self._pid and self._at_exit.alive:
            self._purge(step + 1)

    def _purge(self, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        start = SessionLog(status=SessionLog.START)
        self._writer.add_event(Event(wall_time=time.time(), step=step, session_log=start))

    def flush(self) -> None:
        """Wait until everything queued is in the file."""
        if os.getpid() == self._pid and self._at_exit.alive:
            self._writer.flush()

    def close(self) -> None:
        """Write the last state strip and close the file."""
        if os.getpid() == self._pid and self._at_exit.detach() is not None:
            _finish(self._writer, self._channels, self._last)


def _event(step: int, wall_time: float, values: list[Any]) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Event(wall_time=wall_time, step=step, summary=Summary(value=values))


def _finish(writer: Any, channels: dict[tuple[str, str], Any], last: dict[str, tuple[int, float]]) -> None:
    try:
        for channel in channels.values():
            values = channel.strip()
            if values:
                writer.add_event(_event(*last[channel.prefix], values))
    finally:
        writer.close()


def _finish_quietly(
    writer: Any, channels: dict[tuple[str, str], Any], last: dict[str, tuple[int, float]], pid: int
) -> None:
    if os.getpid() != pid:
        return
    try:
        _finish(writer, channels, last)
    except Exception as error:  # the script is ending or the sink is gone: nobody is left to catch it
        _log.warning("the TensorBoard log could not be finished: %s", error)


def _check_writable(log_dir: str) -> None:
    if "://" in log_dir:  # TensorBoard's own file systems
        return
    try:
        os.makedirs(log_dir, exist_ok=True)
        # The event file itself is opened by the writer's thread, whose failure would come too late.
        with tempfile.TemporaryFile(dir=log_dir):
            pass
    except OSError as error:
        raise PolarMonitorError(
            f"log_dir: cannot write to {log_dir!r} ({error.strerror or error}); "
            "pass a folder that can be written to as log_dir=…, or sinks=() to write nothing"
        ) from error
