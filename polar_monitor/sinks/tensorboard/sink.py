"""Evaluations as TensorBoard events, one event each, without torch's SummaryWriter and without a thread.

`scalars` and `values` list the tags. The constructor of a sink imports TensorBoard, and all else that a write needs,
through `board`.
"""

from __future__ import annotations

import logging
import os
import socket
import weakref
from datetime import datetime
from typing import TYPE_CHECKING

from ...errors import PolarMonitorError, log_line
from ...evaluation import Evaluation

if TYPE_CHECKING:
    from .board import Board

LOG = "polar.jsonl"
"""Name of the JSONL log in a run's folder."""


def default_log_dir() -> str:
    """Return where `torch.utils.tensorboard.SummaryWriter()` would write, so that both share one run.

    Two runs of ours never share a folder: the second one gets a number.
    """
    folder = os.path.join("runs", datetime.now().strftime("%b%d_%H-%M-%S") + "_" + socket.gethostname())
    if not os.path.exists(os.path.join(folder, LOG)):
        return folder
    numbered = (f"{folder}_{number}" for number in range(1, 10**6))
    return next(path for path in numbered if not os.path.exists(path))


class TensorBoardSink:
    """Writes every evaluation to an event file in `log_dir` (None: where torch's SummaryWriter would).

    `purge_step` is the step at which a resumed run goes on: TensorBoard hides what an earlier run wrote to the same
    folder at that step or later. `write` hands its event to the operating system, so a killed process loses none.
    `close` writes the last state strip, which is also written without it at a normal exit, after an exception and after
    sys.exit. In a forked process every method does nothing. Raises PolarMonitorError if the folder is not a local one,
    or if it cannot be written to.

    Example:
        >>> sink = TensorBoardSink("runs/beta4")                        # doctest: +SKIP
        >>> resumed = TensorBoardSink("runs/beta4", purge_step=12_000)  # doctest: +SKIP
    """

    def __init__(self, log_dir: str | os.PathLike[str] | None = None, *, purge_step: int | None = None) -> None:
        if purge_step is not None and purge_step < 0:
            raise PolarMonitorError(f"purge_step: expected the step the run resumes at (0 or more), got {purge_step}")
        self.log_dir = default_log_dir() if log_dir is None else os.fspath(log_dir)
        self._pid = os.getpid()
        self._board = _open(self.log_dir)
        self._at_exit = weakref.finalize(self, _finish_quietly, self._board, self._pid)
        if purge_step is not None:
            self._board.purge(purge_step)

    def write(self, evaluation: Evaluation) -> None:
        """Write one event with all of the evaluation's values. Raises OSError if the disk fails."""
        if os.getpid() != self._pid:
            return
        if not self._at_exit.alive:
            raise PolarMonitorError("this TensorBoardSink is closed: make a new one with the same log_dir to go on")
        self._board.write(evaluation)

    def resume(self, step: int) -> None:
        """Hide the events of this folder after `step`: the run goes on from there."""
        if os.getpid() == self._pid and self._at_exit.alive:
            self._board.purge(step + 1)

    def flush(self) -> None:
        """Do nothing: `write` hands every event to the operating system."""

    def close(self) -> None:
        """Write the last state strip and close the file. Raises OSError if the disk fails."""
        if os.getpid() == self._pid and self._at_exit.detach() is not None:
            self._board.finish()


def _finish_quietly(board: Board, pid: int) -> None:
    if os.getpid() != pid:
        return
    try:
        board.finish()
    except Exception as error:  # the script is ending or the sink is gone: nobody is left to catch it
        log_line(logging.WARNING, "the TensorBoard log could not be finished: %s", error)


def _open(log_dir: str) -> Board:
    if "://" in log_dir:
        raise PolarMonitorError(
            f"log_dir: expected a local folder, got {log_dir!r}; log to a local one and copy it there, "
            "since a remote store cannot append an event without writing the complete file again"
        )
    from .board import Board

    try:
        os.makedirs(log_dir, exist_ok=True)
        return Board(log_dir)
    except OSError as error:
        raise PolarMonitorError(
            f"log_dir: cannot write to {log_dir!r} ({error.strerror or error}); "
            "pass a folder that can be written to as log_dir=…, or sinks=() to write nothing"
        ) from error
