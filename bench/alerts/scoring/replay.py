"""Runs the built-in alerts over a stored run, in milliseconds: exactly the alerts of the live monitor.

Or the alerts that it would have raised if the loop had logged β, the learning rate and the reconstruction term. A
search prepares the observations once: neither statistics nor labels depend on the thresholds of the alerts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

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
    seen = list(observations(run, told))
    labels = [_places(o.regime) for o in seen if o.regime is not None]
    return raised(seen, run.warmup, rules or AlertRules()), np.array(labels, np.int8)


def observations(run: Run, told: bool = False) -> Iterator[Observation]:
    """What the rules are asked with at each evaluation; each regime is settled with the one before."""
    regime = None
    for (step, observed, snapshot), context in zip(run.evaluations(), contexts(run), strict=True):
        regime = judge(snapshot, regime)
        decay = float(run.kind == "weight_decay")  # as a live monitor reads it; no other kind has one
        yield Observation(step, observed, snapshot, regime, replace(context if told else NOTHING, weight_decay=decay))


def raised(seen: Iterable[Observation], warmup: int, rules: AlertRules) -> tuple[Alert, ...]:
    """The alerts of all observations of one run."""
    engine = AlertEngine()
    return tuple(alert for observation in seen for alert in engine.evaluate(observation, rules, warmup))


def contexts(run: Run) -> Iterator[Context]:
    """What a loop could tell at each evaluation: who averages by mistake logs the β that was meant, and the average."""
    beta, reconstruction = run.host["beta"], run.host["reconstruction"]
    if run.kind == "reduction":
        beta, reconstruction = np.full_like(beta, run.nominal), reconstruction * run.nominal / beta
    for now in zip(beta.tolist(), run.host["rate"].tolist(), reconstruction.tolist(), strict=True):
        yield Context(*now)


def _places(regime: Regime) -> list[int]:
    return [LABELS.index(label) for label in regime.labels]
