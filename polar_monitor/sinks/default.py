"""The sinks of a monitor that was given none: TensorBoard and JSONL in one folder."""

from __future__ import annotations

import os
from pathlib import Path

from . import Sink
from .jsonl import JsonlSink
from .tensorboard.sink import LOG, TensorBoardSink


def default_sinks(log_dir: str | os.PathLike[str] | None) -> tuple[Path, tuple[Sink, ...]]:
    """The folder and its two sinks; None is where `SummaryWriter` would write. PolarMonitorError if unwritable."""
    board = TensorBoardSink(log_dir)
    folder = Path(board.log_dir)
    return folder, (board, JsonlSink(folder / LOG))
