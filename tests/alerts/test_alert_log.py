"""Alerts that are kept, and that are given on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from polar_monitor import CollapseError, PolarMonitor, classify
from polar_monitor.alerts import alert_log
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.alerts.alert_log import AlertLog
from polar_monitor.regime.regime import Regime


def alert(kind: AlertKind, step: int) -> Alert:
    return Alert(kind, step, None, "message", {}, None, None, (), ())


def test_the_oldest_go_and_what_a_loop_stops_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_log, "MAX_ALERTS", 3)
    log = AlertLog([alert(AlertKind.COLLAPSE, 1), alert(AlertKind.COLLAPSE, 2)])
    for step in range(3, 9):
        log.add([alert(AlertKind.FADING, step)])
    assert [(kept.kind, kept.step) for kept in log.alerts] == [
        (AlertKind.COLLAPSE, 2), *((AlertKind.FADING, step) for step in (6, 7, 8)),
    ]  # fmt: skip
    assert log.should_stop({})
    with pytest.raises(CollapseError, match="step 2: message"):
        log.raise_on_collapse({})


def test_an_alert_that_amends_another_takes_its_place() -> None:
    """Only that of its kind, step, latent and mode."""
    first = replace(alert(AlertKind.FADING, 10), dimensions=(1, 2))
    others = [replace(first, step=9), replace(first, mode="eval"), replace(first, kind=AlertKind.LOST)]
    amended = replace(first, step=20, dimensions=(1, 2, 3), amends=10)
    log = AlertLog([first, *others])
    log.add([amended])
    assert log.alerts == [amended, *others]
    log.add([replace(amended, step=30, amends=20), replace(amended, step=40, amends=11)])
    assert [kept.step for kept in log.alerts] == [30, 9, 10, 10, 40]


def test_a_fall_that_others_follow_calls_back_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    """Dimensions that plunge one after another: the callback hears of the event once, the list has all of them."""
    called: list[Alert] = []
    monitor = PolarMonitor(every=20, max_overhead=1.0, sinks=(), on_alert=called.append)
    draws = torch.Generator().manual_seed(0)
    for step in range(1, 700):
        scale = torch.tensor([2.0 * 0.96 ** max(step - 500 - 15 * k, 0) for k in range(4)] + [2.0] * 3)
        rows = scale * torch.randn(200, 7, generator=draws)
        monitor.observe(rows, var=torch.full_like(rows, 0.05))
        with caplog.at_level("INFO", "polar_monitor"):
            monitor.step()
    fading = [one for one in monitor.alerts if one.kind is AlertKind.FADING]
    assert [one.dimensions for one in fading] == [(0, 1, 2, 3)]
    assert fading[0].amends is not None
    assert sum(one.kind is AlertKind.FADING for one in called) == 1
    assert len([one for one in called if one.amends is None]) == len(monitor.alerts)
    lost = [one for one in monitor.alerts if one.kind is AlertKind.LOST]
    assert [one.dimensions for one in lost] == [(0, 1, 2, 3)]
    assert lost[0].amends is not None
    assert sum(one.kind is AlertKind.LOST for one in called) == 1
    said = [record for record in caplog.records if " FADING" in record.getMessage() or " LOST" in record.getMessage()]
    lines = [(record.levelname, "amends that of" in record.getMessage()) for record in said]
    assert ("INFO", True) in lines
    assert ("WARNING", True) not in lines


def test_a_second_loss_of_an_event_calls_back_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    """Dimension 1 is lost at step 500, three others at step 560."""
    called: list[Alert] = []
    monitor = PolarMonitor(every=20, max_overhead=1.0, window=1024, sinks=(), on_alert=called.append)
    draws = torch.Generator().manual_seed(0)
    for step in range(1, 640):
        lost = torch.tensor([step >= at for at in (900, 500, 560, 560, 560, *[900] * 15)])
        rows = torch.where(lost, 0.0, 2.0) * torch.randn(512, 20, generator=draws)
        monitor.observe(rows, var=torch.where(lost, 1.0, 0.05).expand_as(rows))
        with caplog.at_level("INFO", "polar_monitor"):
            monitor.step()
    heard = [one.dimensions for one in called if one.kind is AlertKind.LOST]
    assert heard == [(1,), (1, 2, 3, 4)]
    levels = [record.levelname for record in caplog.records if " LOST" in record.getMessage()]
    assert levels == ["WARNING", "WARNING"]


def test_other_alerts_do_not_stop() -> None:
    log = AlertLog([alert(AlertKind.FADING, 1), alert(AlertKind.LOST, 2)])
    assert not log.should_stop({})
    log.raise_on_collapse({})


def regime(information: float) -> Regime:
    rng = np.random.default_rng(0)
    return classify(rng.normal(size=(2048, 2)) * information, var=np.full((2048, 2), 1.02 - information))


def test_a_collapse_is_a_reason_to_stop_until_its_mode_comes_into_use() -> None:
    log = AlertLog([replace(alert(AlertKind.COLLAPSE, 5), mode="eval")])
    dead, alive = regime(0.01), regime(1.0)
    assert not dead.informative and alive.informative
    assert log.should_stop({"train": alive, "eval": dead})
    assert not log.should_stop({"train": dead, "eval": alive})
    log.raise_on_collapse({"train": dead, "eval": alive})
    with pytest.raises(CollapseError, match="step 5"):
        log.raise_on_collapse({"train": alive, "eval": dead})


def test_what_is_not_finite_stays_a_reason_to_stop_and_is_no_collapse() -> None:
    log = AlertLog([alert(AlertKind.NON_FINITE, 5)])
    assert log.should_stop({"train": regime(1.0)})
    log.raise_on_collapse({"train": regime(1.0)})


def test_the_collapse_that_holds_now_is_named() -> None:
    log = AlertLog([alert(AlertKind.COLLAPSE, 5), alert(AlertKind.REVIVED, 7), alert(AlertKind.COLLAPSE, 9)])
    log.add([replace(alert(AlertKind.COLLAPSE, 11), mode="eval")])
    with pytest.raises(CollapseError, match="step 9: message"):
        log.raise_on_collapse({"train": regime(0.01), "eval": regime(1.0)})


def test_the_first_non_finite_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_log, "MAX_ALERTS", 1)
    log = AlertLog([alert(kind, step) for step in (1, 2) for kind in (AlertKind.NON_FINITE, AlertKind.COLLAPSE)])
    log.add([alert(AlertKind.LOST, 3)])
    assert [(str(kept.kind), kept.step) for kept in log.alerts] == [("non_finite", 1), ("collapse", 2), ("lost", 3)]


def test_what_a_loop_stops_for_is_kept_for_each_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_log, "MAX_ALERTS", 2)
    log = AlertLog([alert(AlertKind.COLLAPSE, 1), replace(alert(AlertKind.COLLAPSE, 2), mode="eval")])
    log.add([alert(AlertKind.LOST, step) for step in range(3, 7)])
    assert [kept.step for kept in log.alerts] == [1, 2, 5, 6]
