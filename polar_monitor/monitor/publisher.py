"""Publication of evaluations: sinks get each of them, the log and the user's callback get their alerts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ..alerts.alert import NOTES, Alert, format_alert, is_news
from ..errors import log_line
from ..evaluation import Evaluation
from ..sinks.group import SinkGroup
from .failures import ON_ALERT_FAILED


class Publisher:
    """Gives evaluations to everybody who waits for them. `failed` gets what the callback and handlers of logs raise.

    The callback is called with the first alert of each event, and with a LOST that adds dimensions. Another alert that
    amends an earlier one is logged as information.
    """

    def __init__(self, sinks: SinkGroup, on_alert: Callable[[Alert], None] | None, failed: Callable[..., None]) -> None:
        self.sinks = sinks
        self.on_alert = on_alert
        self.busy = False
        """True while sinks and the callback get an evaluation."""
        self._failed = failed

    def publish(self, evaluations: Sequence[Evaluation], loads: Callable[[], int]) -> None:
        """Publish evaluations until code of the user loads another state: `loads` counts the loaded ones."""
        before = loads()
        alerts = [alert for evaluation in evaluations for alert in evaluation.alerts]
        self.busy = True
        try:
            for evaluation in evaluations:
                self.sinks.write(evaluation)
                if loads() != before:
                    return
            if alerts:
                self.sinks.flush()
            for alert in alerts:
                quiet = alert.kind in NOTES or not is_news(alert)
                failure = log_line(logging.INFO if quiet else logging.WARNING, "%s", format_alert(alert))
                if failure is not None:
                    self._failed(failure, message="")
                if is_news(alert):
                    self._call(alert)
                if loads() != before:
                    return
        finally:
            self.busy = False

    def _call(self, alert: Alert) -> None:
        if self.on_alert is not None:
            try:
                self.on_alert(alert)
            except Exception as failure:
                self._failed(failure, message=ON_ALERT_FAILED)

    def release_user_objects(self) -> None:
        """Drop the sinks and the callback, which may hold the model."""
        self.sinks.sinks = ()
        self.on_alert = None
