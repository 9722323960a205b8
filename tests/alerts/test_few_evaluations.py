"""The sentence about few evaluations: it names both numbers, and there is none when there are enough."""

from __future__ import annotations

import torch

from polar_monitor import PolarMonitor
from polar_monitor.alerts.few_evaluations import few_evaluations
from polar_monitor.alerts.signals.trend import FORECAST_ROWS


def test_it_is_said_only_where_evaluations_are_few() -> None:
    assert few_evaluations(1) == f"1 evaluation so far: forecasts need {FORECAST_ROWS}"
    assert few_evaluations(FORECAST_ROWS - 1).startswith(f"{FORECAST_ROWS - 1} evaluations so far")
    assert few_evaluations(FORECAST_ROWS) == ""


def test_the_summary_says_it() -> None:
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=())
    for evaluations in range(1, FORECAST_ROWS + 1):
        monitor.observe(torch.randn(600, 2), logvar=torch.zeros(600, 2))
        monitor.step()
        assert (few_evaluations(evaluations) in monitor.summary()) == (evaluations <= FORECAST_ROWS)
        assert ("forecasts need" in monitor.summary()) == (evaluations < FORECAST_ROWS)
