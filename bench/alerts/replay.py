"""The monitor's own rules over a stored run: exactly what the live monitor said, in milliseconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polar_monitor.alerts import Alert, AlertRules
from polar_monitor.regime import Regime, judge
from polar_monitor.watch import WatchState, watch

from .record import LABELS, Run


def replay(run: Run, rules: AlertRules | None = None) -> tuple[tuple[Alert, ...], NDArray[np.int8]]:
    """The alerts under `rules`, and the settled labels (T, D) as places in `LABELS`."""
    state, regime = WatchState(), None
    alerts: list[Alert] = []
    labels = []
    for step, observed, snapshot in run.evaluations():
        regime = judge(snapshot, regime)
        state, new = watch(state, step, observed, snapshot, regime, rules or AlertRules(), run.warmup)
        alerts += new
        labels.append(_places(regime))
    return tuple(alerts), np.array(labels, np.int8)


def _places(regime: Regime) -> list[int]:
    return [LABELS.index(label) for label in regime.labels]
