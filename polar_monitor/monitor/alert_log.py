"""Alerts of a run: the newest, and the first of each kind that a loop may want to stop for."""

from __future__ import annotations

from collections.abc import Iterable

from ..alerts.alert import Alert, AlertKind
from ..errors import CollapseError

MAX_ALERTS = 10_000
"""Alerts that are kept, the newest."""
STOPPING = (AlertKind.COLLAPSE, AlertKind.NON_FINITE)
"""Kinds whose first alert is kept for good."""


class AlertLog:
    """List of alerts, oldest first, that drops the oldest when it is full."""

    def __init__(self, alerts: Iterable[Alert] = ()) -> None:
        self.alerts: list[Alert] = []
        self.add(alerts)

    def add(self, alerts: Iterable[Alert]) -> None:
        """Add alerts; drop the oldest, except the first of each stopping kind."""
        self.alerts += alerts
        excess = len(self.alerts) - MAX_ALERTS
        if excess > 0:
            kept = {alert.kind: alert for alert in reversed(self.alerts[:excess]) if alert.kind in STOPPING}
            self.alerts[:excess] = reversed(kept.values())

    @property
    def should_stop(self) -> bool:
        """True if an alert of a stopping kind was raised."""
        return any(alert.kind in STOPPING for alert in self.alerts)

    def raise_on_collapse(self) -> None:
        """Raise CollapseError for the first COLLAPSE."""
        for alert in self.alerts:
            if alert.kind is AlertKind.COLLAPSE:
                raise CollapseError(f"step {alert.step}: {alert.message}")
