"""COLLAPSE: once for each collapse."""

from __future__ import annotations

from alert_histories import RAMP, kinds, run

from polar_monitor.alerts.alert import AlertKind


def test_total_loss_is_a_collapse_once() -> None:
    alerts = run([RAMP, RAMP])
    assert kinds(alerts).count("collapse") == 1
    assert kinds(alerts).count("fading") == 2
    assert kinds(alerts).count("drain") == 1
    assert kinds(alerts).index("fading") < kinds(alerts).index("lost")


def test_a_model_that_never_used_a_dimension_is_a_collapse_in_the_end() -> None:
    assert kinds(run([[0.001] * 61])) == ["collapse"]
    assert run([[0.001] * 59]) == []


def test_what_was_never_worth_an_alert_is_no_collapse_when_it_goes() -> None:
    """Before training there is noise in every dimension."""
    assert "collapse" not in kinds(run([[0.3] * 4 + [0.0] * 30, [0.2] * 4 + [0.0] * 30]))


def test_a_collapse_that_hovers_at_the_cut_is_raised_once() -> None:
    hovering = [1.5] * 12 + [1.5 * 0.6**t for t in range(8)] + [0.03, 0.03, 0.03, 0.03, 0.2, 0.2, 0.2, 0.2] * 6
    assert kinds(run([hovering, hovering], noise=0.001)).count("collapse") == 1


def test_a_collapse_after_a_recovery_is_another() -> None:
    fall = [1.5] * 12 + [1.5 * 0.6**t for t in range(12)] + [0.0] * 6
    assert kinds(run([fall * 2] * 2, noise=0.001)).count("collapse") == 2


def test_a_collapse_in_the_warm_up_is_raised_at_its_end() -> None:
    gone = [1.5] * 14 + [0.0] * 26
    alerts = [alert for alert in run([gone, gone], warmup=2000) if alert.kind is AlertKind.COLLAPSE]
    assert [alert.step for alert in alerts] == [2000]
    assert alerts[0].message == "no informative dimension is left"


def test_a_collapse_soon_after_the_warm_up_is_raised_at_once() -> None:
    gone = [1.5] * 22 + [0.0] * 18
    alerts = [alert for alert in run([gone, gone], warmup=2000) if alert.kind is AlertKind.COLLAPSE]
    assert len(alerts) == 1
    assert alerts[0].step <= 2600
