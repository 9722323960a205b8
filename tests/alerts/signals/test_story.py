"""One story a dimension: lost, back again, comes and goes, and then nothing until it is stable."""

from __future__ import annotations

from alert_histories import kinds, run

from polar_monitor.alerts.alert import AlertKind

SWING = [1.5] * 8 + [0.0] * 8


def test_sixty_rises_and_falls_are_one_story() -> None:
    alerts = [alert for alert in run([SWING * 60, [2.0] * 960], noise=0.001) if alert.dimension == 0]
    assert kinds(alerts) == ["lost", "revived", "lost"]
    assert "comes and goes: lost once more" in alerts[-1].message
    assert "until it has been stable for 700 steps" in alerts[-1].message


def test_a_story_ends_when_the_dimension_has_been_stable() -> None:
    swings = SWING * 5 + [1.5] * 30 + [0.0] * 10
    alerts = [alert for alert in run([swings, [2.0] * len(swings)], noise=0.001) if alert.dimension == 0]
    assert kinds(alerts) == ["lost", "revived", "lost", "lost"]
    assert alerts[-1].message.startswith("dimension 0 is lost: ")


def test_a_loss_that_lasts_ends_with_its_return() -> None:
    gone = [1.5] * 10 + [0.0] * 40 + [1.5] * 30 + [0.0] * 10
    alerts = [alert for alert in run([gone, [2.0] * 90], noise=0.001) if alert.dimension == 0]
    assert kinds(alerts) == ["lost", "revived", "lost"]
    assert alerts[-1].message.startswith("dimension 0 is lost: ")


def test_a_restart_in_a_story_changes_nothing() -> None:
    for split in (9, 20, 30, 60):
        assert run([SWING * 5, [2.0] * 80], split=split) == run([SWING * 5, [2.0] * 80])


def test_what_goes_in_one_evaluation_is_one_alert_for_each_cause() -> None:
    gone = [1.5] * 12 + [0.0] * 12
    alerts = run([[2.0] * 24, *[gone] * 40])
    assert kinds(alerts).count("lost") == 1
    (lost,) = (alert for alert in alerts if alert.kind is AlertKind.LOST)
    assert lost.dimensions == tuple(range(1, 41))
    assert lost.dimension is None
    assert lost.message.startswith("dimensions 1, 2, 3, 4, 5, 6, 7 and 33 others are lost")
    assert lost.evidence["information_40"] < 0.05
    assert len(lost.evidence) == 80
