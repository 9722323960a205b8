"""Trends and forecasts: known values, a slow twin, and what noise and outliers may do."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.forecast import LEAST, MOST, outlook
from polar_monitor.trend import crossing, rates, slopes

ALL = np.array([True])


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=9))
def test_theil_and_sen_is_the_median_of_all_slopes(values: list[float]) -> None:
    pairs = itertools.combinations(enumerate(values), 2)
    slow = float(np.median([(y - x) / (j - i) for (i, x), (j, y) in pairs]))
    assert slopes(np.array(values)[:, None])[0] == pytest.approx(slow, rel=1e-9, abs=1e-9)


def test_one_outlier_changes_no_slope() -> None:
    values = np.arange(8.0)[:, None]
    values[5] = 1000.0
    assert slopes(values)[0] == 1.0


@given(st.floats(0.02, 0.5), st.floats(0.3, 5.0), st.integers(1, 5000))
def test_the_crossing_of_an_exponential_is_exact(rate: float, start: float, every: int) -> None:
    nats = start * np.exp(-rate * np.arange(9))
    nats = nats[nats > 0.1501]
    if len(nats) < 4:
        return
    exact = every * (math.log(nats[-1] / 0.15) / rate)
    forecast = outlook(nats[:, None], float(every), ALL).forecast(0, 1000)
    assert abs(forecast.step - 1000 - exact) <= 1 + 1e-6 * exact
    assert forecast.low == pytest.approx(1000 + LEAST * exact, abs=1)
    assert forecast.high == pytest.approx(1000 + MOST * max(exact, every), abs=2)


def test_a_rate_that_grows_is_followed() -> None:
    """log x = -0.01 t²: the rate grows by 0.02 an evaluation, and x falls to exp(-4) at t = 20."""
    level = -0.01 * np.arange(11.0)[:, None] ** 2
    rate, growth = rates(level)
    assert growth[0] == pytest.approx(0.02, rel=0.02)
    assert rate[0] == pytest.approx(0.2, rel=0.02)
    assert 10 + crossing(level[-1] + 4, rate, growth)[0] == pytest.approx(20, abs=0.2)


def test_what_does_not_fall_has_no_crossing() -> None:
    for series in (np.ones(9), np.linspace(1, 2, 9), np.ones(2)):
        assert outlook(series[:, None], 10.0, ALL).ahead[0] == math.inf


def test_a_forecast_beyond_all_steps_has_no_end() -> None:
    forecast = outlook(np.exp(-0.0051 * np.arange(9.0))[:, None], 1e18, ALL).forecast(0, 0)
    assert forecast.high is None
    assert forecast.low <= forecast.step


def test_what_plunged_may_be_lost_already() -> None:
    forecast = outlook(np.array([1.0, 0.9, 0.8, 0.5])[:, None], 100.0, ALL).forecast(0, 1000, plunged=True)
    assert forecast.low == 900
    assert forecast.step > 1000


def test_only_what_is_asked_for_is_worked_out() -> None:
    falling = np.exp(-0.1 * np.arange(9.0))[:, None].repeat(2, axis=1)
    ahead = outlook(falling, 1.0, np.array([True, False])).ahead
    assert np.isfinite(ahead).tolist() == [True, False]
