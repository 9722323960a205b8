"""FADING, LOST and REVIVED: the alerts about one dimension.

They share one state, the history of the dimensions, which is a signal that other alerts read too: `signals/follow.py`
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
from ..signals.falls import Falls
from ..signals.follow import DimensionChanges
from ..signals.history import NEVER, Flags
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
        if signals is None or signals.changes is None:
            return state, ()
        changes = signals.changes
        alerts = [_revived(signals, j) for j in _which(changes.revived)]
        alerts += [_lost(signals, changes, j) for j in _which(changes.lost)]
        if changes.falls is not None:
            alerts += [_fading(signals, changes, changes.falls, j) for j in _which(changes.fading)]
        return state, sorted(alerts, key=lambda alert: alert.dimension or 0)


def _which(where: Flags | None) -> list[int]:
    return [] if where is None else np.flatnonzero(where).tolist()


def _revived(signals: Signals, j: int) -> Alert:
    s = signals.snapshot
    message = f"is in use again with {s.information[j]:.3f} nats"
    return make_alert(AlertKind.REVIVED, s.step, message, _evidence(s, j), dimension=j)


def _lost(signals: Signals, changes: DimensionChanges, j: int) -> Alert:
    s, history = signals.snapshot, signals.history
    cause = Cause.DEAD_ENCODER if is_constant(s, np.arange(s.dimensions) == j) else Cause(history.cause[j])
    return make_alert(
        AlertKind.LOST,
        s.step,
        f"is lost: {history.recent[-1].level[j]:.3f} nats are left",
        _evidence(s, j),
        dimension=j,
        last_healthy_step=_last_healthy_step(changes, j),
        cause=cause,
    )


def _fading(signals: Signals, changes: DimensionChanges, falls: Falls, j: int) -> Alert:
    s, history = signals.snapshot, signals.history
    forecast = falls.outlook.forecast(j, s.step, bool(falls.plunged[j]))
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
        last_healthy_step=_last_healthy_step(changes, j),
        cause=Cause(history.cause[j]),
    )


def _last_healthy_step(changes: DimensionChanges, j: int) -> int | None:
    step = int(changes.healthy_step[j])
    return None if step == NEVER else step


def _evidence(s: Snapshot, j: int) -> dict[str, float]:
    return {"information": float(s.information[j]), "information_se": float(s.information_se[j])}
