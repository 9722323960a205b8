"""Our own failures: swallowed, counted, told once each; raised only where the user asked for it (`strict`)."""

from __future__ import annotations

import logging
from types import TracebackType

log = logging.getLogger("polar_monitor")

LIMIT = 5
"""Failures in a row after which the monitor switches itself off."""
CAUSES = 100
"""Most causes that are told apart."""


class FailurePolicy:
    """What has gone wrong inside the monitor."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.count = 0
        self.last = ""
        """The last of them, as "Type: message"."""
        self._row = 0
        self._told: set[tuple[str, str, int]] = set()
        """Type and place of those told: a message may have a number in it that is never the same."""

    def swallow(self, failure: Exception, *, fatal: bool = True) -> bool:
        """Count a failure; returns whether it is the one that ends the monitor. Raises it when strict."""
        if self.strict:
            raise failure
        self.count += 1
        self.last = f"{type(failure).__name__}: {failure}"
        cause = (type(failure).__name__, *_place(failure.__traceback__))
        if cause not in self._told and len(self._told) < CAUSES:
            self._told.add(cause)
            log.error("polar_monitor failed and goes on (%s); training is not affected", self.last)
        return fatal and self.again()

    def again(self) -> bool:
        """One failure more in a row, told elsewhere; returns whether it is the one that ends the monitor."""
        self._row += 1
        if self._row == LIMIT:
            log.error("polar_monitor switches itself off: it failed %d times in a row", LIMIT)
        return self._row == LIMIT

    def fine(self) -> None:
        """Something succeeded: the run of failures is over."""
        self._row = 0


def _place(traceback: TracebackType | None) -> tuple[str, int]:
    """File and line where a failure was raised."""
    place = "", 0
    while traceback is not None:
        place = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next
    return place
