"""DRAIN: the total falls."""

from __future__ import annotations

import torch
from alert_histories import kinds, run

from polar_monitor import PolarMonitor
from polar_monitor.alerts.alert import AlertKind


def test_a_fall_that_never_pauses_is_one_drain() -> None:
    for rate in (0.8, 0.89, 0.95, 0.98):
        assert kinds(run([[2.0] * 20 + [2.0 * rate**t for t in range(80)]] * 6)).count("drain") == 1


def test_a_second_drain_after_one_that_stopped_is_news() -> None:
    twice = [2.0] * 12 + [2.0 * 0.88**t for t in range(6)] + [1.05] * 40 + [1.05 * 0.85**t for t in range(20)]
    assert kinds(run([twice] * 3)).count("drain") == 2


def test_a_total_that_bounces_is_one_drain() -> None:
    fall, rest = [2.0 * 0.88**t for t in range(10)], [1.85 * 0.8**t for t in range(15)]
    assert kinds(run([[2.0] * 12 + fall + [1.0, 1.3, 1.6, 1.85] + rest] * 4)).count("drain") == 1
    swings = [*fall, 1.0, 1.3, 1.6, 1.85] * 8
    assert kinds(run([[2.0] * 12 + swings] * 4)).count("drain") == 1


def test_a_drain_long_after_a_bounce_is_news() -> None:
    fall = [2.0 * 0.88**t for t in range(10)]
    twice = [2.0] * 12 + fall + fall[::-1] + [2.0] * 80 + [2.0 * 0.8**t for t in range(15)]
    assert kinds(run([twice] * 4)).count("drain") == 2


def test_what_is_not_finite_has_not_fallen() -> None:
    """One of four dimensions is NaN from step 40 on, the others carry on: NON_FINITE, and no alert of a fall."""
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=())
    mean = torch.randn(4096, 4, generator=torch.Generator().manual_seed(0))
    for step in range(1, 121):
        rows = mean.clone()
        if step > 40:
            rows[:, 0] = float("nan")
        monitor.observe(rows, var=torch.full_like(rows, 0.05))
        monitor.step()
    kinds = {alert.kind for alert in monitor.alerts}
    assert AlertKind.NON_FINITE in kinds
    assert not kinds & {AlertKind.DRAIN, AlertKind.FADING, AlertKind.COLLAPSE}
    (first,) = (alert for alert in monitor.alerts if alert.kind is AlertKind.NON_FINITE)
    assert first.last_healthy_step is not None
    assert first.last_healthy_step <= 40
