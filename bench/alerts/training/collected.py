"""A sink that keeps every evaluation of a run in memory."""

from __future__ import annotations

from polar_monitor.evaluation import Evaluation


class Collected:
    """Keeps every evaluation until it is closed."""

    def __init__(self) -> None:
        self.evaluations: list[Evaluation] = []
        self.closed = False

    def write(self, evaluation: Evaluation) -> None:
        """Take one evaluation."""
        if not self.closed:
            self.evaluations.append(evaluation)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""
