"""All sinks of a monitor together, none of which can harm the training."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from ..evaluation import Evaluation
from . import Sink

log = logging.getLogger("polar_monitor")

LIMIT = 5
"""Evaluations in a row that a sink fails to take, after which it is switched off."""


class SinkGroup:
    """Writes to every sink; what one fails to take is logged once, dropped and counted. In the end it is left alone."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self.sinks = tuple(sinks)
        self.drops = 0
        self.strict = False
        self._row: dict[int, int] = {}
        """Failures in a row of each."""
        self._told: set[tuple[int, str]] = set()

    def write(self, evaluation: Evaluation) -> None:
        """Hand an evaluation to every sink."""
        for number, sink in enumerate(self.sinks):
            failed = self._row.get(number, 0)
            if failed >= LIMIT:
                self.drops += 1
            elif self._guard(number, sink, lambda sink=sink: sink.write(evaluation)):  # type: ignore[misc]
                self._row[number] = 0
            else:
                self.drops += 1
                self._row[number] = failed + 1
                if failed + 1 == LIMIT:
                    log.error("%s is switched off: it failed %d times in a row", type(sink).__name__, LIMIT)

    def flush(self) -> None:
        """Flush every sink."""
        for number, sink in enumerate(self.sinks):
            self._guard(number, sink, lambda sink=sink: sink.flush())  # type: ignore[misc]

    def close(self) -> None:
        """Close every sink."""
        for number, sink in enumerate(self.sinks):
            self._guard(number, sink, lambda sink=sink: sink.close())  # type: ignore[misc]

    def resume(self, step: int) -> None:
        """Tell the sinks that can hide what they wrote after `step` that the run goes on from there."""
        for number, sink in enumerate(self.sinks):
            resume = getattr(sink, "resume", None)
            if resume is not None:
                self._guard(number, sink, lambda resume=resume: resume(step))  # type: ignore[misc]

    def _guard(self, number: int, sink: Sink, act: Callable[[], None]) -> bool:
        try:
            act()
        except Exception as failure:
            if self.strict:
                raise
            cause = type(failure).__name__
            if (number, cause) not in self._told:
                self._told.add((number, cause))
                log.error("%s failed (%s: %s); its records are dropped", type(sink).__name__, cause, failure)
            return False
        return True
