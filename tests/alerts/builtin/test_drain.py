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


def test_what_has_collapsed_does_not_drain_after_it() -> None:
    """An evaluation sees all of the loss, so the COLLAPSE comes before a second one confirms the fall."""
    gone = [1.5] * 20 + [0.001] * 20
    assert kinds(run([gone] * 4, every=20)) == ["lost", "collapse"]
    assert kinds(run([gone] * 4, every=20, kinds={"drain"})) == ["drain"]
    assert kinds(run([gone] * 4, every=20, kinds={"drain"})) == ["drain"]
    assert kinds(run([gone + [1.5] * 40 + [0.0] * 20] * 4, every=20)).count("drain") == 0
    assert kinds(run([gone + [1.5] * 5 + ([0.0] * 10 + [1.5] * 5) * 3] * 4, every=20)).count("drain") == 0


def test_what_comes_back_from_a_collapse_is_healthy_at_its_new_level() -> None:
    """All is lost, comes back with a third of the nats, and is lost again: both alerts go back to the same step."""
    twice = [1.5] * 20 + [0.0] * 20 + [0.5] * 40 + [0.0] * 10
    alerts = [a for a in run([twice] * 4, every=20, noise=0.001) if a.kind in (AlertKind.LOST, AlertKind.COLLAPSE)]
    assert [(str(a.kind), a.step, a.last_healthy_step) for a in alerts] == [
        ("lost", 420, 400), ("collapse", 420, 400), ("lost", 1620, 1600), ("collapse", 1620, 1600),
    ]  # fmt: skip


def test_a_drain_of_what_came_back_from_a_collapse_is_news() -> None:
    gone = [1.5] * 20 + [0.0] * 20 + [1.0] * 60 + [0.9**t for t in range(20)]
    (drain,) = (alert for alert in run([gone] * 4, every=20) if alert.kind is AlertKind.DRAIN)
    assert drain.step > 2000


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


def test_faint_dimensions_that_fall_together_are_a_drain_and_their_end_is_a_collapse() -> None:
    """None is worth an alert by itself; together they carry 19 nats."""
    fall = [0.3] * 30 + [0.3 * 0.9**t for t in range(60)]
    for dimensions in (64, 8):
        alerts = run([fall] * dimensions, noise=0.003)
        assert kinds(alerts) == ["drain", "collapse"]
        drain, collapse = alerts
        assert drain.step <= 25 * 30 + 150
        assert f"has fallen from {0.3 * dimensions:.0f}." in drain.message or "from 2." in drain.message
        assert drain.last_healthy_step is not None
        assert 25 * 28 <= drain.last_healthy_step <= 25 * 32
        assert collapse.step <= 1275
        assert collapse.message.startswith("no informative dimension is left")


def test_faint_dimensions_are_no_alert_while_steady_too_few_or_when_one_of_worth_comes() -> None:
    assert run([[0.3] * 90] * 64, noise=0.003) == []
    assert "drain" not in kinds(run([[0.3] * 30 + [0.3 * 0.9**t for t in range(60)]] * 2, noise=0.003))
    rises = [[0.3] * 60] * 8 + [[0.3] * 20 + [0.3 + 0.05 * t for t in range(40)]]
    assert run(rises, noise=0.003) == []
