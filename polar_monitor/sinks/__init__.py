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
