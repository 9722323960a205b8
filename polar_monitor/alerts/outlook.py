"""The alerts so far as a few words on each dimension: fading, with its forecast, lost, or taken over by others."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..regime.label import Label
from .alert import Alert, AlertKind

RECOVERED_SHARE = 0.9
"""Share of its highest level with which a dimension fades no more."""


class Outlook:
    """Newest alert of each dimension of one latent in one mode, as far as it may still hold."""

    def __init__(self, alerts: Iterable[Alert] = ()) -> None:
        self.fading: dict[int, Alert] = {}
        self.lost: dict[int, int] = {}
        """Step of the alert of each dimension that is lost."""
        self.settled: dict[int, int] = {}
        """Step at which a dimension was out of use while others took over."""
        for alert in alerts:
            self.add(alert)

    def add(self, alert: Alert) -> None:
        """Add an alert, in the order in which they are raised.

        A FADING that amends another has a forecast of those that fade still; of the others, theirs is over. What fades
        at a COLLAPSE is lost with it: no LOST follows.
        """
        for j in self.fading if alert.kind is AlertKind.COLLAPSE else ():
            self.lost.setdefault(j, alert.step)
        for j in alert.dimensions:
            self.fading.pop(j, None)
            if alert.kind is AlertKind.FADING and (len(alert.dimensions) == 1 or f"forecast_{j}" in alert.evidence):
                self.fading[j] = alert
            elif alert.kind is AlertKind.LOST:
                self.lost.setdefault(j, alert.step)
            elif alert.kind is AlertKind.SETTLING:
                self.settled.setdefault(j, alert.step)
            elif alert.kind is AlertKind.REVIVED:
                self.lost.pop(j, None)
                self.settled.pop(j, None)

    def gone(self, labels: tuple[Label, ...]) -> list[int]:
        """Return the passive dimensions that were lost, the newest first, then those that others took over."""
        gone = []
        for steps in (self.lost, self.settled):
            which = (j for j in steps if j < len(labels) and labels[j] is Label.PASSIVE and j not in gone)
            gone += sorted(which, key=lambda j: (-steps[j], j))
        return gone

    def remark(self, j: int, label: Label, nats: float, step: int) -> str:
        """Return what the alerts say about dimension j, as it stands at `step`; '' for nothing."""
        if label is Label.PASSIVE:
            if j in self.lost:
                return f"lost at step {self.lost[j]:,}"
            return f"others took over, step {self.settled[j]:,}" if j in self.settled else ""
        alert = self.fading.get(j)
        if alert is None or alert.forecast is None:
            return ""
        highest = alert.evidence.get("from" if len(alert.dimensions) == 1 else f"from_{j}", math.inf)
        if nats >= RECOVERED_SHARE * highest:
            return ""
        expected = round(alert.evidence.get(f"forecast_{j}", alert.forecast.step))
        return f"due at {expected:,}, still in use" if step > expected else f"lost ≈ step {expected:,}, fading"
