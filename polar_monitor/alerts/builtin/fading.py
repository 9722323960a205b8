"""FADING, LOST and REVIVED: the alerts about one dimension.

They share one state, the history of the dimensions, which is a signal that other alerts read too: `signals/falls.py`
follows it and says when a dimension fades, is lost or comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from ...statistics.snapshot import Snapshot
from ..advice import Cause, make_alert
from ..alert import Alert, AlertKind
from ..observation import Observation
from ..signals.attribution import is_constant
from ..signals.history import NEVER
from ..signals.signals import Signals


class FadingState(TypedDict):
    """State of FADING, LOST and REVIVED: nothing beside the shared history."""


class Fading:
    """Raises FADING, LOST and REVIVED, in the order of the dimensions."""

    name = "fading"

    def start(self) -> FadingState:
        """Return the state before the first evaluation."""
        return FadingState()

    def reset_in_warmup(self, state: FadingState) -> FadingState:
        """Return the state as it is: the engine resets the shared history."""
        return state

    def update(self, state: FadingState, observation: Observation) -> tuple[FadingState, Sequence[Alert]]:
        """Return the state, and the alerts of one evaluation."""
        signals = observation.signals
        if signals is None:
            return state, ()
        makers = {_revived: signals.changes.revived, _lost: signals.changes.lost, _fading: signals.changes.fading}
        alerts = [make(signals, j) for make, where in makers.items() for j in np.flatnonzero(where).tolist()]
        return state, sorted(alerts, key=lambda alert: alert.dimension or 0)


def _revived(signals: Signals, j: int) -> Alert:
    s = signals.snapshot
    message = f"is in use again with {s.information[j]:.3f} nats"
    return make_alert(AlertKind.REVIVED, s.step, message, _evidence(s, j), dimension=j)


def _lost(signals: Signals, j: int) -> Alert:
    s, history = signals.snapshot, signals.history
    cause = Cause.DEAD_ENCODER if is_constant(s, np.arange(s.dimensions) == j) else Cause(history.cause[j])
    return make_alert(
        AlertKind.LOST,
        s.step,
        f"is lost: {history.information[-1, j]:.3f} nats are left",
        _evidence(s, j),
        dimension=j,
        last_healthy_step=_last_healthy_step(signals, j),
        cause=cause,
    )


def _fading(signals: Signals, j: int) -> Alert:
    s, history, changes = signals.snapshot, signals.history, signals.changes
    forecast = changes.outlook.forecast(j, s.step, bool(changes.plunged[j]))
    latest = "no end" if forecast.high is None else f"{forecast.high}"
    now = float(s.information[j])
    highest = now * float(np.exp(history.cusum.drop[j]))
    message = (
        f"is fading: {now:.3f} of {highest:.3f} nats are left, "
        f"expected to be out of use at step {forecast.step} ({forecast.low} to {latest})"
    )
    return make_alert(
        AlertKind.FADING,
        s.step,
        message,
        _evidence(s, j) | {"from": highest},
        dimension=j,
        forecast=forecast,
        last_healthy_step=_last_healthy_step(signals, j),
        cause=Cause(history.cause[j]),
    )


def _last_healthy_step(signals: Signals, j: int) -> int | None:
    step = int(signals.changes.healthy_step[j])
    return None if step == NEVER else step


def _evidence(s: Snapshot, j: int) -> dict[str, float]:
    return {"information": float(s.information[j]), "information_se": float(s.information_se[j])}
