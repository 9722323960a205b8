"""The sinks of a monitor that was given none: TensorBoard and JSONL in one folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import PolarMonitorError
from ..sinks import Sink
from ..sinks.jsonl import JsonlSink
from ..sinks.tensorboard.sink import LOG, TensorBoardSink

if TYPE_CHECKING:
    from ..sinks import Sink


def default_sinks(log_dir: str | os.PathLike[str] | None) -> tuple[Path, tuple[Sink, ...]]:
    """The folder and its two sinks; None is where `SummaryWriter` would write. PolarMonitorError if unwritable."""
    board = TensorBoardSink(log_dir)
    folder = Path(board.log_dir)
    return folder, (board, JsonlSink(folder / LOG))


def checked_output(log_dir: Any, sinks: Any) -> tuple[str | os.PathLike[str] | None, tuple[Sink, ...] | None]:
    """Where results go. Raises PolarMonitorError for what is no folder's name, or no sink."""
    if log_dir is not None and not isinstance(log_dir, str | os.PathLike):
        raise PolarMonitorError(f"log_dir: expected the name of a folder, got {log_dir!r}")
    if sinks is None:
        return log_dir, None
    chosen = tuple(sinks) if isinstance(sinks, Iterable) and not isinstance(sinks, str) else (sinks,)
    for sink in chosen:
        lacking = [verb for verb in ("write", "flush", "close") if not callable(getattr(sink, verb, None))]
        if lacking or isinstance(sink, str | bytes):
            raise PolarMonitorError(
                f"sinks: expected a list of objects with write(evaluation), flush() and close(), got {sink!r}"
            )
    return log_dir, chosen
