"""SILENT: no rows."""

from __future__ import annotations

from alert_histories import kinds

from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation


def test_silence_before_the_first_row() -> None:
    alerts = AlertEngine().evaluate(Observation(100, 0), AlertRules())
    assert kinds(list(alerts)) == ["silent"]
