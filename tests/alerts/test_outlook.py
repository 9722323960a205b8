"""The alerts so far in a few words on each dimension."""

from __future__ import annotations

from dataclasses import replace

from records import ACTIVE, PASSIVE, make_alert

from polar_monitor.alerts.alert import AlertKind
from polar_monitor.alerts.outlook import Outlook


def test_a_fall_has_its_forecast_until_it_is_over() -> None:
    fading = make_alert(100, 2)
    fading = replace(fading, evidence={**fading.evidence, "from": 1.2})
    outlook = Outlook([fading])
    assert outlook.remark(2, ACTIVE, 0.5, 100) == "lost ≈ step 600, fading"
    assert outlook.remark(2, ACTIVE, 1.1, 100) == ""
    assert outlook.remark(2, ACTIVE, 0.5, 601) == "due at 600, still in use"
    assert outlook.remark(1, ACTIVE, 0.5, 100) == ""


def test_what_is_gone_has_its_step_until_it_is_back_in_use() -> None:
    kinds = ((300, 2, AlertKind.LOST), (400, 0, AlertKind.LOST), (500, 1, AlertKind.SETTLING))
    outlook = Outlook(make_alert(step, j, kind) for step, j, kind in kinds)
    labels = (PASSIVE,) * 3
    assert outlook.gone(labels) == [0, 2, 1]
    assert outlook.gone((ACTIVE, PASSIVE, PASSIVE)) == [2, 1]
    assert outlook.remark(2, PASSIVE, 0.0, 600) == "lost at step 300"
    assert outlook.remark(1, PASSIVE, 0.0, 600) == "others took over, step 500"
    outlook.add(make_alert(700, 2, AlertKind.REVIVED))
    assert outlook.gone(labels) == [0, 1]
    assert outlook.remark(2, PASSIVE, 0.0, 800) == ""


def test_what_fades_at_a_collapse_is_lost_with_it() -> None:
    outlook = Outlook([make_alert(100, 2), make_alert(200, None, AlertKind.COLLAPSE)])
    assert outlook.gone((PASSIVE,) * 3) == [2]
    assert outlook.remark(2, PASSIVE, 0.0, 300) == "lost at step 200"
    assert outlook.remark(2, ACTIVE, 0.5, 300) == "lost ≈ step 600, fading"
    outlook.add(make_alert(400, 2, AlertKind.REVIVED))
    assert outlook.gone((PASSIVE,) * 3) == []
