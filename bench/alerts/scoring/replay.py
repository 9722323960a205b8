"""Runs the built-in alerts over a stored run, in milliseconds: exactly the alerts of the live monitor.

Or the alerts that it would have raised if the loop had logged β, the learning rate and the reconstruction term.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from polar_monitor.alerts.alert import Alert
from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.context import NOTHING, Context
from polar_monitor.regime.judge import judge
from polar_monitor.regime.regime import Regime

from ..training.record import LABELS, Run


def replay(run: Run, rules: AlertRules | None = None, told: bool = False) -> tuple[tuple[Alert, ...], NDArray[np.int8]]:
    """Return the alerts under `rules`, and the settled labels (T, D) as places in `LABELS`.

    With `told` the loop logs its context.
    """
    engine, regime = AlertEngine(), None
    alerts: list[Alert] = []
    labels = []
    for (step, observed, snapshot), context in zip(run.evaluations(), contexts(run), strict=True):
        regime = judge(snapshot, regime)
        observation = Observation(step, observed, snapshot, regime, context if told else NOTHING)
        alerts += engine.evaluate(observation, rules or AlertRules(), run.warmup)
        labels.append(_places(regime))
    return tuple(alerts), np.array(labels, np.int8)


def contexts(run: Run) -> Iterator[Context]:
    """What a loop could tell at each evaluation: who averages by mistake logs the β that was meant, and the average."""
    beta, reconstruction = run.host["beta"], run.host["reconstruction"]
    if run.kind == "reduction":
        beta, reconstruction = np.full_like(beta, run.nominal), reconstruction * run.nominal / beta
    for now in zip(beta.tolist(), run.host["rate"].tolist(), reconstruction.tolist(), strict=True):
        yield Context(*now)


def _places(regime: Regime) -> list[int]:
    return [LABELS.index(label) for label in regime.labels]
