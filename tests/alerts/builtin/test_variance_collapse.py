"""VARIANCE_COLLAPSE: the posterior becomes a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from alert_histories import RULES, kinds
from records import PASSIVE, make_snapshot

from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.regime.judge import judge


def test_a_posterior_that_becomes_a_point() -> None:
    engine, regime, seen = AlertEngine(), None, []
    for t in range(6):
        snapshot = replace(make_snapshot(25 * t, [PASSIVE], information=[7.0]), reliability=np.array([0.99999]))
        regime = judge(snapshot, regime)
        alerts = engine.evaluate(Observation(snapshot.step, 2400, snapshot, regime), RULES)
        seen += kinds(list(alerts))
    assert seen == ["variance_collapse"]


def points(reliabilities: Sequence[float]) -> list[str]:
    """The alerts when two dimensions in use have the first and the second half of these reliabilities."""
    engine, regime, seen = AlertEngine(), None, []
    for t, reliability in enumerate(reliabilities):
        snapshot = make_snapshot(25 * t, [PASSIVE] * 2, information=[7.0, 7.0])
        snapshot = replace(snapshot, reliability=np.array([reliability, 0.9]))
        regime = judge(snapshot, regime)
        alerts = engine.evaluate(Observation(snapshot.step, 2400, snapshot, regime), RULES)
        seen += kinds(list(alerts))
    return seen


def test_a_point_in_half_of_the_dimensions_is_one_event_until_it_is_over() -> None:
    point, spread = 0.99995, 0.9998
    assert points([point] * 4) == ["variance_collapse"]
    assert points(([point] * 4 + [spread] * 3) * 8) == ["variance_collapse"]
    assert points([point] * 4 + [spread] * 12 + [point] * 4) == ["variance_collapse"] * 2
    assert points([spread] * 40) == []
