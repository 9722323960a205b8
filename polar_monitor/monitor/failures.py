"""Policy for the monitor's own failures: swallow, count and log each cause once; raise only if `strict`."""

from __future__ import annotations

import logging
from types import TracebackType

from ..errors import WarnOnce, describe, log_line

MAX_FAILURES = 5
"""Failures in a row after which the monitor disables itself."""
MAX_CAUSES = 100
"""Causes that are logged; later new ones are only counted."""
INTERNAL_ERROR = "polar_monitor: internal error (%s); training is not affected, monitoring goes on"
ON_ALERT_FAILED = "polar_monitor: on_alert failed (%s); training is not affected; it is called again at the next alert"


class FailurePolicy:
    """Count of what went wrong inside the monitor, and the decision when to end it."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.count = 0
        self.last = ""
        """The newest failure as "Type: message"."""
        self._in_a_row = 0
        self._once = WarnOnce(MAX_CAUSES)
        """Keys are type and place: a message may contain a number that changes every time."""

    def swallow(self, failure: Exception, *, fatal: bool = True, message: str = INTERNAL_ERROR) -> bool:
        """Count a failure, and log it unless `message` is ''. True if it ends the monitor; raises it if `strict`."""
        if self.strict:
            raise failure
        self.count += 1
        self.last = describe(failure)
        if message and self._once((type(failure).__name__, *_place(failure.__traceback__))):
            log_line(logging.ERROR, message, self.last)
        return fatal and self.repeat(self.last)

    def repeat(self, last: str) -> bool:
        """Count one more failure in a row, logged elsewhere. Returns True if it ends the monitor."""
        self._in_a_row += 1
        if self._in_a_row == MAX_FAILURES:
            log_line(
                logging.ERROR,
                "polar_monitor: the monitor is disabled because it failed %d times in a row (last: %s); see "
                "monitor.health()",
                MAX_FAILURES,
                last,
            )
        return self._in_a_row == MAX_FAILURES

    @property
    def ended(self) -> bool:
        """True if failures have ended the monitor."""
        return self._in_a_row >= MAX_FAILURES

    def reset(self) -> None:
        """End the row of failures after a success."""
        self._in_a_row = 0


def _place(traceback: TracebackType | None) -> tuple[str, int]:
    """Return the file and line where a failure was raised."""
    place = "", 0
    while traceback is not None:
        place = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next
    return place
