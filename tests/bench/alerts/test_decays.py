"""Exact exponential decays with drawn rows."""

from __future__ import annotations

from bench.alerts.scoring import decays


def test_the_forecast_holds_the_end_of_a_decay_that_still_looks_like_a_line() -> None:
    """Of 3 nats 0.7 to 1 are gone at the alert."""
    end = decays.BEGIN + 400 * 3.0  # log(3 / 0.15) = 3.0
    alerts = decays.alerts_of(400, 50, 0, 1100)
    forecast = next(alert.forecast for alert in alerts if alert.kind == "fading")
    assert forecast is not None and forecast.high is not None
    assert forecast.step < 0.8 * end
    assert forecast.low <= end <= forecast.high


def test_a_decay_without_a_forecast_counts_in_no_share() -> None:
    found = [decays.Forecasted(100, 20, held) for held in (True, False, None)]
    assert decays._cell(found) == "1 of 2"
