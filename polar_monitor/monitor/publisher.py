"""Publication of evaluations: sinks get each of them, the log and the user's callback get their alerts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ..alerts.alert import NOTES, Alert, AlertKind, format_alert
from ..errors import log_line
from ..evaluation import Evaluation
from ..sinks.group import SinkGroup
from .failures import ON_ALERT_FAILED
from .sources.probed import Probed


class Publisher:
    """Gives evaluations to everybody who waits for them. `failed` gets what the callback and handlers of logs raise.

    The callback is called with the first alert of each event, and of those that amend it with a LOST that adds a
    dimension whose end no FADING has forecast. The others are logged as information.
    """

    def __init__(self, sinks: SinkGroup, on_alert: Callable[[Alert], None] | None, failed: Callable[..., None]) -> None:
        self.sinks = sinks
        self.on_alert = on_alert
        self.probed = Probed()
        self.repeats = False
        """True if another rank logs the same alerts as warnings."""
        self.busy = False
        """True while sinks and the callback get an evaluation."""
        self._warned: dict[tuple[str, str], set[int]] = {}
        """Dimensions that are lost, or whose end a FADING has forecast, by latent and mode."""
        self._failed = failed

    def publish(self, evaluations: Sequence[Evaluation], loads: Callable[[], int]) -> None:
        """Publish evaluations until code of the user loads another state: `loads` counts the loaded ones."""
        before = loads()
        alerts = [alert for evaluation in evaluations for alert in evaluation.alerts]
        self.busy = True
        try:
            for evaluation in evaluations:
                self.sinks.write(self.probed.beside(evaluation))
                if loads() != before:
                    return
            if alerts:
                self.sinks.flush()
            for alert in alerts:
                warns = self._warns(alert)
                quiet = alert.kind in NOTES or not warns or self.repeats
                failure = log_line(logging.INFO if quiet else logging.WARNING, "%s", format_alert(alert))
                if failure is not None:
                    self._failed(failure, message="")
                if warns:
                    self._call(alert)
                if loads() != before:
                    return
        finally:
            self.busy = False

    def _warns(self, alert: Alert) -> bool:
        """Return True if an alert says more than those before it, and remember of which dimensions it warns."""
        warned = self._warned.setdefault((alert.name, alert.mode), set())
        warns = alert.amends is None or (alert.kind is AlertKind.LOST and not warned.issuperset(alert.dimensions))
        if alert.kind is AlertKind.FADING and alert.forecast is not None:
            single = len(alert.dimensions) == 1
            warned.update(j for j in alert.dimensions if single or f"forecast_{j}" in alert.evidence)
        elif alert.kind is AlertKind.LOST:
            warned.update(alert.dimensions)
        elif alert.kind is AlertKind.REVIVED:
            warned.difference_update(alert.dimensions)
        return warns

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
