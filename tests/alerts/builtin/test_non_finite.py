"""NON_FINITE: values that are NaN or infinite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from alert_histories import RULES
from records import PASSIVE, make_snapshot

from polar_monitor.alerts.alert import Alert
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.regime.judge import judge


def alerts_of(values: Sequence[int], warmup: int = 0) -> list[Alert]:
    """Return the alerts of a run whose second dimension has had values[t] values that are not finite."""
    engine, alerts = AlertEngine(), list[Alert]()
    for t, value in enumerate(values):
        snapshot = replace(make_snapshot(t, [PASSIVE] * 2), non_finite=np.array([0.0, float(value)]))
        alerts += engine.evaluate(Observation(t, 9, snapshot, judge(snapshot)), RULES, warmup)
    return alerts


def test_the_first_value_is_reported_with_its_dimension() -> None:
    (alert,) = alerts_of([0, 3, 5])
    assert (alert.kind, alert.step) == ("non_finite", 1)
    assert alert.message == "3 values are NaN or infinite, most in dimension 1"
    assert alert.evidence == {"values": 3.0, "dimension": 1.0}


def test_more_values_are_reported_again_after_a_clean_time() -> None:
    clean = int(RULES.clean_steps)
    assert [alert.step for alert in alerts_of([3] * (clean - 1) + [4])] == [0]
    assert [alert.step for alert in alerts_of([3] * clean + [4])] == [0, clean]


def test_it_is_raised_in_the_warm_up() -> None:
    assert [alert.step for alert in alerts_of([0, 3, 5], warmup=100)] == [1]
