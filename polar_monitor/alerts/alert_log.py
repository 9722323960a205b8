"""Alerts of a run: the newest, and of each kind that a loop may want to stop for the one that counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import CollapseError
from ..regime.regime import Regime
from .alert import Alert, AlertKind, add_alert

MAX_ALERTS = 10_000
"""Alerts that are kept, the newest."""
STOPPING = (AlertKind.COLLAPSE, AlertKind.NON_FINITE)
"""Kinds of which an alert is kept for good: the newest COLLAPSE, and the first NON_FINITE."""


class AlertLog:
    """List of alerts, oldest first, that drops the oldest when it is full."""

    def __init__(self, alerts: Iterable[Alert] = ()) -> None:
        self.alerts: list[Alert] = []
        self.add(alerts)

    def add(self, alerts: Iterable[Alert]) -> None:
        """Add alerts, one that amends another in its place; drop the oldest, except those that a loop stops for.

        Of the oldest, the newest COLLAPSE and the first NON_FINITE in each mode are kept.
        """
        for alert in alerts:
            add_alert(self.alerts, alert)
        excess = len(self.alerts) - MAX_ALERTS
        if excess > 0:
            kept = dict[tuple[AlertKind, str], int]()
            for place, alert in enumerate(self.alerts[:excess]):
                if alert.kind in STOPPING and (
                    alert.kind is AlertKind.COLLAPSE or (alert.kind, alert.mode) not in kept
                ):
                    kept[alert.kind, alert.mode] = place
            self.alerts[:excess] = [self.alerts[place] for place in sorted(kept.values())]

    def should_stop(self, regimes: Mapping[str, Regime | None]) -> bool:
        """Return True after a NON_FINITE, and while the model has collapsed; `regimes` are the latest of each mode."""
        non_finite = any(alert.kind is AlertKind.NON_FINITE for alert in self.alerts)
        return non_finite or self._collapse(regimes) is not None

    def raise_on_collapse(self, regimes: Mapping[str, Regime | None]) -> None:
        """Raise CollapseError while the model has collapsed, for the newest COLLAPSE."""
        alert = self._collapse(regimes)
        if alert is not None:
            raise CollapseError(f"step {alert.step}: {alert.message}")

    def _collapse(self, regimes: Mapping[str, Regime | None]) -> Alert | None:
        """Return the newest COLLAPSE of a mode with no informative dimension now; None if all have recovered."""
        for alert in reversed(self.alerts):
            if alert.kind is AlertKind.COLLAPSE:
                regime = regimes.get(alert.mode)
                if regime is None or not regime.informative:
                    return alert
        return None
