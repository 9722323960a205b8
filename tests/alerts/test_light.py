"""Light evaluations: labels and built-in alerts need nothing that only a full one measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from alert_histories import RAMP, RULES, STEADY
from records import PASSIVE, light, make_snapshot

from polar_monitor.alerts.alert import Alert
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.regime.judge import judge
from polar_monitor.regime.regime import Regime


def run(has_variance: bool, every_full: int) -> tuple[list[Regime], list[Alert], object]:
    """Return the regimes, the alerts and the last state; one evaluation of `every_full` is full."""
    engine, regimes, alerts = AlertEngine(), list[Regime](), list[Alert]()
    steps = [2.0] * 20 + [0.3] * 20
    for t, nats in enumerate(zip(STEADY, RAMP, steps, [0.01] * 40, strict=True)):
        s = make_snapshot(25 * t, [PASSIVE] * 4, information=nats, bins=4)
        s = replace(s, has_variance=has_variance, non_finite=np.full(4, float(t == 7)), surplus=2.0)
        s = s if t % every_full == 0 else light(s)
        regimes.append(judge(s, regimes[-1] if regimes else None))
        alerts += engine.evaluate(Observation(s.step, 2400, s, regimes[-1]), RULES)
    return regimes, alerts, engine.state_dict()


@pytest.mark.parametrize("has_variance", [True, False])
def test_light_snapshots_give_the_same_labels_alerts_and_states(has_variance: bool) -> None:
    full = run(has_variance, 1)
    assert {alert.kind for alert in full[1]} >= {"fading", "lost", "non_finite"}
    assert run(has_variance, 8) == full
