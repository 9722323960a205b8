"""Where evaluations go. A sink may raise: the monitor logs it once, drops the record, counts it and trains on."""

from __future__ import annotations

from typing import Protocol

from ..evaluation import Evaluation


class Sink(Protocol):
    """One place to write to."""

    def write(self, evaluation: Evaluation) -> None:
        """Take one evaluation; called on the training thread, so it must be quick."""

    def flush(self) -> None:
        """Make what was written readable by others."""

    def close(self) -> None:
        """Flush and let go; more than one call does nothing."""


# At the end, so that the function takes the place of the folder of its name: `from polar_monitor.sinks import console`.
from .console import console as console  # noqa: E402
from .jsonl import JsonlSink as JsonlSink  # noqa: E402
from .jsonl import read_jsonl as read_jsonl  # noqa: E402
from .tensorboard import TensorBoardSink as TensorBoardSink  # noqa: E402
