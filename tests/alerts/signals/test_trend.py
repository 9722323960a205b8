"""Trends and forecasts: known values, a slow twin, and what noise and outliers may do."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.alerts.signals import forecast as forecasts
from polar_monitor.alerts.signals.forecast import HIGH_FACTOR, LOW_FACTOR, Outlook
from polar_monitor.alerts.signals.pace import Pace
from polar_monitor.alerts.signals.trend import Spans, crossing, line_evidence, rates, slopes, slows, spans

ALL, NO = np.array([True]), np.array([False])
CUT = 0.15
EVERY = 25
"""Steps between evaluations."""


def outlook(
    nats: np.ndarray,
    where: np.ndarray = ALL,
    beta: np.ndarray | None = None,
    rate: np.ndarray | None = None,
    *,
    steps: np.ndarray | None = None,
    windows: float = 0.6,
    lag: float = 0.0,
    start: float = 0.0,
    error: float = 0.0,
) -> Outlook:
    """Return the outlook of series at some steps, 25 apart if none are given, whose falls began at `start`."""
    steps = EVERY * np.arange(len(nats), dtype=float) if steps is None else steps
    interval = int(steps[-1] - steps[-2]) if len(steps) > 1 else 0
    pace = Pace(float(interval), windows, 0.0, interval, 1.0, lag)
    return forecasts.outlook(
        nats,
        np.full_like(nats, error),
        steps,
        np.full(len(nats), windows),
        pace,
        where,
        np.full(where.shape, start),
        CUT,
        beta,
        rate,
    )


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=9))
def test_theil_and_sen_is_the_median_of_all_slopes(values: list[float]) -> None:
    pairs = itertools.combinations(enumerate(values), 2)
    slow = float(np.median([(y - x) / (j - i) for (i, x), (j, y) in pairs]))
    assert slopes(np.array(values)[:, None])[0] == pytest.approx(slow, rel=1e-9, abs=1e-9)


@given(st.lists(st.tuples(st.floats(-100, 100), st.integers(0, 4)), min_size=2, max_size=9))
def test_theil_and_sen_at_given_times_leaves_out_pairs_at_one_time(points: list[tuple[float, int]]) -> None:
    values, steps = zip(*points, strict=True)
    times = np.cumsum(steps).astype(float)
    pairs = itertools.combinations(zip(times, values, strict=True), 2)
    slow = [(y - x) / (j - i) for (i, x), (j, y) in pairs if i != j]
    result = slopes(np.array(values)[:, None], times)[0]
    assert result == pytest.approx(np.median(slow) if slow else 0.0, rel=1e-9, abs=1e-9)


def test_one_outlier_changes_no_slope() -> None:
    values = np.arange(8.0)[:, None]
    values[5] = 1000.0
    assert slopes(values)[0] == 1.0


def nats_of(level: np.ndarray) -> np.ndarray:
    """Return the information whose level, I + NEAR log I, is this: by bisection."""
    low, high = np.full(level.shape, 1e-9), np.full(level.shape, 1e3)
    for _ in range(80):
        middle = 0.5 * (low + high)
        below = middle + forecasts.NEAR * np.log(middle) < level
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


@given(
    st.floats(0.002, 0.02), st.floats(0.3, 5.0), st.lists(st.integers(1, 200), min_size=8, max_size=8), st.floats(0, 1)
)
def test_the_crossing_of_a_line_is_exact(rate: float, start: float, gaps: list[int], windows: float) -> None:
    """Evaluations are spaced in any way."""
    steps = np.cumsum([0.0, *gaps])
    level, cut = start - rate * steps, 0.15 + forecasts.NEAR * math.log(0.15)
    nats = nats_of(level)
    steps, level, nats = steps[nats > 0.151], level[nats > 0.151], nats[nats > 0.151]
    if len(nats) < 2:
        return
    exact = (level[-1] - cut) / rate
    forecast = outlook(nats[:, None], steps=steps, windows=windows, start=-1).forecast(0, 1000)
    assert forecast is not None
    assert abs(forecast.step - 1000 - exact) <= 2 + 1e-6 * exact
    assert forecast.low == pytest.approx(1000 + max(LOW_FACTOR * exact, 1), abs=1)
    assert forecast.high is not None
    assert forecast.high >= 1000 + HIGH_FACTOR * max(exact, steps[-1] - steps[-2]) - 2


@pytest.mark.parametrize("start", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("rate", [0.001, 0.004])
def test_the_crossing_of_an_exponential_is_exact_once_it_is_seen_to_slow_down(start: float, rate: float) -> None:
    """Far from the prior the trend takes a fall for a line, which would be at its end in half the time."""
    steps = np.arange(0.0, 0.7 / rate, 25.0)
    nats = start * np.exp(-rate * steps)[:, None]
    exact = math.log(nats[-1, 0] / 0.15) / rate
    seen = outlook(nats, steps=steps, start=-1)
    assert seen.ahead[0] == pytest.approx(exact, rel=0.02)
    assert seen.soonest is not None
    assert seen.soonest[0] < 0.8 * exact


@pytest.mark.parametrize("rate", [0.001, 0.004])
def test_the_interval_reaches_to_the_end_of_an_exponential_that_may_be_one(rate: float) -> None:
    """After a loss of a fifth the trend takes it for a line; a line of the same length is none of an exponential."""
    steps = np.arange(0.0, 0.25 / rate, 0.25 / rate / 8)
    decay, line = 3.0 * np.exp(-rate * steps)[:, None], 3.0 * (1 - 0.6 * rate * steps)[:, None]
    exact = math.log(decay[-1, 0] / 0.15) / rate
    early = outlook(decay, steps=steps, start=-1, error=0.05).forecast(0, 1000)
    assert early is not None and early.high is not None
    assert early.step - 1000 < 0.5 * exact
    assert 1000 + exact <= early.high <= 1000 + 1.3 * exact
    straight = outlook(line, steps=steps, start=-1, error=0.001)
    known = straight.forecast(0, 1000)
    assert known is not None and known.high is not None
    assert known.high == pytest.approx(1000 + HIGH_FACTOR * straight.ahead[0], abs=2)


def test_windows_with_rows_from_before_the_fall_are_no_evidence_for_a_line() -> None:
    """The second evaluation has half of its rows from before."""
    nats = np.array([3.0, 2.99, 2.62, 2.02])[:, None]
    forecast = outlook(nats, steps=np.array([0.0, 50.0, 100.0, 150.0]), lag=21.0, start=50.0, error=0.02)
    high = getattr(forecast.forecast(0, 1000), "high", None)
    assert high is not None and high >= 1000 + math.log(2.02 / 0.15) / 0.005


def test_after_a_plunge_the_interval_reaches_to_the_end_at_the_average_pace() -> None:
    nats, steps = np.array([1.88, 1.79, 1.7, 1.27])[:, None], np.array([0.0, 50.0, 100.0, 150.0])
    seen = outlook(nats, steps=steps, start=0.0, error=0.001)
    average = (1.27 - 0.15) / (0.61 / 150)
    plunged, trend = seen.forecast(0, 1000, in_steps=True), seen.forecast(0, 1000)
    assert plunged is not None and trend is not None
    assert plunged.high is not None and trend.high is not None
    assert trend.high < 1000 + average <= plunged.high <= 1001 + max(average, trend.high - 1000)


@given(st.lists(st.floats(0.2, 5.0), min_size=3, max_size=9), st.floats(0.01, 0.1))
def test_line_evidence_is_the_difference_of_two_least_squares_fits(values: list[float], error: float) -> None:
    nats, times = np.array(values), 25 * np.arange(float(len(values)))

    def misfit(ordinate: np.ndarray, errors: np.ndarray) -> float:
        line = np.polyval(np.polyfit(times, ordinate, 1, w=1 / errors), times)
        return float(np.sum(((ordinate - line) / errors) ** 2))

    errors = np.full(len(nats), error)
    slow = misfit(np.log(nats), errors / nats) - misfit(nats, errors)
    fast = line_evidence(nats[:, None], times, errors[:, None])[0]
    assert fast == pytest.approx(slow, rel=1e-6, abs=1e-5)
    assert line_evidence(nats[:2, None], times[:2], errors[:2, None])[0] == 0.0


def test_what_slows_down_within_its_own_error_is_a_line() -> None:
    times, rows = 25 * np.arange(9.0), Spans(4, 0)
    level = 2.0 * np.exp(-0.004 * times)[:, None]
    assert slows(level, times, rows, np.full((9, 1), 0.001)).all()
    assert not slows(level, times, rows, np.full((9, 1), 0.2)).any()
    assert not slows(3.0 - level[::-1], times, rows, np.full((9, 1), 0.001)).any()
    assert not slows(2.0 - 0.004 * times[:, None], times, rows, np.full((9, 1), 0.001)).any()
    assert not slows(level, times, Spans(4, 4), np.full((9, 1), 0.001)).any()


def test_a_fall_by_shrinking_means_ends_before_its_trend() -> None:
    trend, shrinking = (Outlook(np.array([100.0]), 25, NO, NO).forecast(0, 1000, shrinks=one) for one in (False, True))
    assert trend is not None and shrinking is not None
    assert (trend.low, trend.step, trend.high) == (1055, 1100, 1150)
    assert (shrinking.low, shrinking.step, shrinking.high) == (1040, 1065, 1120)
    driven = Outlook(np.array([100.0]), 25, np.array([True]), NO)
    assert driven.forecast(0, 1000, shrinks=True) == driven.forecast(0, 1000)


def test_a_rate_that_grows_is_followed() -> None:
    """log x = -0.01 t²: the rate grows by 0.02 in a unit of time, and x falls to exp(-4) at t = 20."""
    level = -0.01 * np.arange(11.0)[:, None] ** 2
    rate, growth = rates(level, np.arange(11.0), Spans(7, 3))
    assert growth[0] == pytest.approx(0.02, rel=0.02)
    assert rate[0] == pytest.approx(0.2, rel=0.02)
    assert 10 + crossing(level[-1] + 4, rate, growth)[0] == pytest.approx(20, abs=0.2)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=11), st.sampled_from([0.1, 0.4, 0.6, 1.0]))
def test_a_rate_needs_two_rows_and_takes_those_that_are_close(gaps: list[int], windows: float) -> None:
    times = np.cumsum([0, *gaps]).astype(float)
    each, last = np.full(len(times), windows), len(times) - 1
    rows = spans(times, each)
    assert rows.early == rows.recent < last
    for place in range(last - 1):
        close = times[last] - times[place] <= 80 or (last - place) * windows <= 1.25 + 1e-12
        assert (place >= rows.recent) == close or abs((last - place) * windows - 1.25) < 1e-9
    for start in range(last):
        halves = spans(times, each, 1.0, times[start])
        assert halves.early == start or start == last
        assert halves.early <= halves.recent < last
        assert halves.recent == start or times[last] - times[halves.recent] <= max(
            80, (times[last] - times[start]) / 2, times[last] - times[rows.recent], times[last] - times[last - 1]
        )


def test_a_growth_within_its_own_error_is_noise() -> None:
    times, rows = 25 * np.arange(9.0), Spans(5, 0)
    level = np.where(times < 130, 0.0, -0.01 * (times - 125))[:, None]
    exact = rates(level, times, rows)[1][0]
    assert exact > 0
    assert rates(level, times, rows, np.full((9, 1), 0.01))[1][0] == pytest.approx(0.92 * exact, rel=0.05)
    assert rates(level, times, rows, np.full((9, 1), 1.0))[1][0] == 0.0


def test_statistics_are_those_of_the_middle_of_their_window() -> None:
    nats = 2.0 - 0.1 * np.arange(9.0)[:, None]
    assert outlook(nats, lag=20.0).ahead[0] == outlook(nats).ahead[0] - 20
    assert outlook(nats, lag=1e6).ahead[0] == 0.0


def test_what_does_not_fall_has_no_crossing() -> None:
    for series in (np.ones(9), np.linspace(1, 2, 9), np.ones(2)):
        assert outlook(series[:, None]).ahead[0] == math.inf


def test_a_forecast_beyond_all_steps_has_no_end() -> None:
    forecast = Outlook(np.array([1e18]), 10**18, NO, NO).forecast(0, 0)
    assert forecast is not None
    assert forecast.high is None
    assert 1 <= forecast.low <= forecast.step


@given(st.floats(0, 1e6), st.integers(0, 1000), st.booleans())
def test_a_forecast_begins_in_the_future(ahead: float, interval: int, driven: bool) -> None:
    forecast = Outlook(np.array([ahead]), interval, np.array([driven]), NO).forecast(0, 1000)
    assert forecast is not None
    assert forecast.high is not None
    assert 1001 <= forecast.low <= forecast.step <= forecast.high


def test_a_fall_within_the_window_has_no_forecast() -> None:
    """The window holds rows from before the fall, so nobody knows the level now."""
    nats = 2.0 - 0.1 * np.arange(9.0)[:, None]
    begun = [outlook(nats, lag=20.0, start=25.0 * k).forecast(0, 200) is None for k in range(9)]
    assert begun == [False] * 7 + [True] * 2
    assert outlook(nats, lag=1000.0, start=-3000.0).forecast(0, 200) is None


def test_only_what_is_asked_for_is_worked_out() -> None:
    falling = np.exp(-0.1 * np.arange(9.0))[:, None].repeat(2, axis=1)
    ahead = outlook(falling, np.array([True, False])).ahead
    assert np.isfinite(ahead).tolist() == [True, False]


NOT_LOGGED = np.full(9, np.nan)


@pytest.mark.parametrize(
    "beta", [NOT_LOGGED, np.full(9, 2.0), np.linspace(1, 1.04, 9), np.full(9, 0.0), -np.arange(9.0)]
)
def test_a_beta_that_does_not_rise_changes_no_forecast(beta: np.ndarray) -> None:
    nats = np.exp(-0.1 * np.arange(9.0))[:, None]
    assert outlook(nats, ALL, beta, NOT_LOGGED).ahead == outlook(nats).ahead


@pytest.mark.parametrize("gaps", [[25] * 8, [10, 13, 17, 22, 29, 38, 49, 64]])
@pytest.mark.parametrize("linear", [True, False])
def test_the_loss_under_a_rising_beta_is_exact(linear: bool, gaps: list[int]) -> None:
    """I = 1/2 log(5 / beta), as in a linear VAE, is 0.15 where beta = 5 exp(-0.3) = 3.704."""
    steps = np.cumsum([0, *gaps]).astype(float)
    beta = 1 + 0.004 * steps if linear else np.exp(0.002 * steps)
    nats = 0.5 * np.log(5 / beta)[:, None]
    exact = (3.7040911 - 1) / 0.004 if linear else math.log(3.7040911) / 0.002
    last = steps[-1]
    assert last + outlook(nats, ALL, beta, NOT_LOGGED, steps=steps).ahead[0] == pytest.approx(exact, rel=1e-6)
    assert abs(last + outlook(nats, steps=steps).ahead[0] - exact) > 10


def test_what_a_rising_beta_does_not_push_down_keeps_its_trend() -> None:
    nats = np.column_stack([np.exp(-0.1 * np.arange(9.0)), 1 + 0.1 * np.arange(9.0)])
    both = np.array([True, True])
    nats[-5:, 0] = nats[-5, 0]  # over the time that beta is looked at
    result = outlook(nats, both, np.exp(0.05 * np.arange(9.0)), NOT_LOGGED).ahead
    assert (result == outlook(nats, both).ahead).all()


def test_time_goes_with_the_learning_rate() -> None:
    """A fall by 0.1 in 25 steps at a rate of 1 is one by 0.01 at a tenth of it."""
    rate = np.array([1.0] * 7 + [0.1] * 4)
    level = 2.0 - np.concatenate([[0.0], np.cumsum(0.1 * rate[1:])])
    nats, cut = nats_of(level), 0.15 + forecasts.NEAR * math.log(0.15)
    result = outlook(nats[:, None], ALL, None, rate).ahead[0]
    assert result == pytest.approx(EVERY * (level[-1] - cut) / 0.01, rel=1e-6)
    for useless in (np.full(11, 0.3), np.full(11, np.nan), np.zeros(11)):
        assert outlook(nats[:, None], ALL, None, useless).ahead[0] == outlook(nats[:, None]).ahead[0]
