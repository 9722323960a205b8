"""Alerts that are kept."""

from __future__ import annotations

import pytest

from polar_monitor import CollapseError
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.monitor import alert_log
from polar_monitor.monitor.alert_log import AlertLog


def alert(kind: AlertKind, step: int) -> Alert:
    return Alert(kind, step, None, "message", {}, None, None, (), ())


def test_the_oldest_go_and_the_first_to_stop_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_log, "MAX_ALERTS", 3)
    log = AlertLog([alert(AlertKind.COLLAPSE, 1), alert(AlertKind.COLLAPSE, 2)])
    for step in range(3, 9):
        log.add([alert(AlertKind.FADING, step)])
    assert [(kept.kind, kept.step) for kept in log.alerts] == [
        (AlertKind.COLLAPSE, 1), *((AlertKind.FADING, step) for step in (6, 7, 8)),
    ]  # fmt: skip
    assert log.should_stop
    with pytest.raises(CollapseError, match="step 1: message"):
        log.raise_on_collapse()


def test_other_alerts_do_not_stop() -> None:
    log = AlertLog([alert(AlertKind.FADING, 1), alert(AlertKind.LOST, 2)])
    assert not log.should_stop
    log.raise_on_collapse()
