"""One story a dimension: lost, back again, comes and goes, and then nothing until it is stable."""

from __future__ import annotations

import pytest
from alert_histories import kinds, run

from polar_monitor.alerts.alert import AlertKind

SWING = [1.5] * 8 + [0.0] * 8


def test_sixty_rises_and_falls_are_one_story() -> None:
    alerts = [alert for alert in run([SWING * 60, [2.0] * 960], noise=0.001) if alert.dimension == 0]
    assert kinds(alerts) == ["lost", "revived", "lost"]
    assert "comes and goes: lost once more" in alerts[-1].message
    assert "until it has been stable for 2,800 steps" in alerts[-1].message


def test_a_story_ends_when_the_dimension_has_been_stable() -> None:
    swings = SWING * 5 + [1.5] * 120 + [0.0] * 10
    alerts = [alert for alert in run([swings, [2.0] * len(swings)], noise=0.001) if alert.dimension == 0]
    assert kinds(alerts) == ["lost", "revived", "lost", "lost"]
    assert alerts[-1].message.startswith("dimension 0 is lost: ")


def test_a_loss_that_lasts_ends_with_its_return() -> None:
    gone = [1.5] * 10 + [0.0] * 40 + [1.5] * 130 + [0.0] * 10
    alerts = [alert for alert in run([gone, [2.0] * len(gone)], noise=0.001) if alert.dimension == 0]
    assert kinds(alerts) == ["lost", "revived", "lost"]
    assert alerts[-1].message.startswith("dimension 0 is lost: ")


def cycles(period: int, low: float, square: bool, every: int = 50) -> list[float]:
    """Information that goes down to `low` and back eight times, at once or in a line."""
    phases = [every * t / period % 1 for t in range(8 * period // every)]
    heights = [float(phase < 0.5) if square else abs(1 - 2 * phase) for phase in phases]
    return [low + (2.0 - low) * height for height in heights]


@pytest.mark.parametrize("period", [2000, 3000, 6000])
@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize("low", [0.001, 0.2])
def test_cycles_of_any_length_are_one_story(period: int, square: bool, low: float) -> None:
    """A dimension that goes out of use, or nearly, in every cycle: no more after the third, whatever the length."""
    one = cycles(period, low, square)
    alerts = run([one, [2.0] * len(one), [3.0] * len(one)], noise=0.002, every=50, rows=4096)
    about = [alert for alert in alerts if alert.dimensions == (0,)]
    assert about
    assert about[-1].step <= 2.6 * period
    assert kinds(alerts).count("drain") <= 1
    assert kinds(about).count("fading") <= 2
    assert kinds(about).count("lost") <= 3
    if low == 0.001:
        assert "comes and goes: lost once more" in about[-1].message
    else:
        assert "dimension 0 fades once more, of which no more is said until" in about[-1].message


def test_a_restart_in_a_story_changes_nothing() -> None:
    for split in (9, 20, 30, 60):
        assert run([SWING * 5, [2.0] * 80], split=split) == run([SWING * 5, [2.0] * 80])


def test_what_goes_in_one_evaluation_is_one_alert_for_each_cause() -> None:
    gone = [1.5] * 12 + [0.0] * 12
    alerts = run([[2.0] * 24, *[gone] * 40])
    assert kinds(alerts).count("lost") == 1
    (lost,) = (alert for alert in alerts if alert.kind is AlertKind.LOST)
    assert lost.dimensions == tuple(range(1, 41))
    assert lost.dimension == 1
    assert lost.message.startswith("dimensions 1, 2, 3, 4, 5, 6, 7 and 33 others are lost")
    assert lost.evidence["information_40"] < 0.05
    assert len(lost.evidence) == 80
