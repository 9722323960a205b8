"""The wanted interval: a constant ratio at the beginning, bounds in steps and seconds, longer in quiet stretches."""

from __future__ import annotations

import pytest

from polar_monitor.schedule.looks import (
    LONGEST,
    MAX_SECONDS,
    MAX_STEPS,
    MAX_WAIT,
    MIN_ROWS,
    QUIET_SHARE,
    RESTLESS_SHARE,
    Looks,
)


def steps_of(looks: Looks, until: int, pace: float = 0.001) -> list[int]:
    """Steps of a restless run without a budget."""
    steps = [looks.first]
    while steps[-1] < until:
        looks.count(True)
        steps.append(steps[-1] + looks.interval(steps[-1], pace))
    return steps[:-1]


def test_the_first_evaluations_are_a_constant_ratio_apart() -> None:
    steps = steps_of(Looks(None, None), 3000)
    assert steps[:8] == [10, 13, 17, 22, 29, 38, 49, 64]
    assert steps[-1] - steps[-2] == MAX_STEPS
    assert len(steps) >= 60


@pytest.mark.parametrize("pace", [0.001, 0.005, 0.02, 0.1, 0.2])
def test_a_run_of_twenty_seconds_has_fifty_evaluations_whatever_a_step_costs(pace: float) -> None:
    assert len(steps_of(Looks(None, None), int(20 / pace), pace)) >= 50


def test_the_interval_is_bounded_in_steps_and_in_seconds_and_is_never_0() -> None:
    looks = Looks(None, None)
    assert looks.interval(10**4, 0.0) == looks.interval(10**4, 1e-9) == MAX_STEPS
    assert looks.interval(10**3, 0.02) == round(MAX_SECONDS / 0.02)
    assert looks.interval(10**2, 5.0) == 1
    assert looks.interval(1, 0.001) == 1


def test_a_measured_length_of_a_step_that_is_far_too_small_makes_no_blind_stretch() -> None:
    looks = Looks(None, None)
    assert looks.interval(13, 1e-9) == 4
    assert looks.interval(10**4, 1e-12) == MAX_STEPS


def test_every_is_every_however_quiet() -> None:
    looks = Looks(7, None)
    for _ in range(100):
        looks.count(False)
    assert looks.first == looks.longest_dense == looks.interval(10**6, 1.0) == 7


def test_a_quiet_stretch_is_looked_at_more_and_more_rarely_until_something_happens() -> None:
    looks, pace, step = Looks(None, None), 0.01, 500_000
    looks.count(True)
    restless = looks.interval(step, pace)
    assert restless == round(RESTLESS_SHARE * step)
    intervals = []
    for _ in range(40):
        looks.count(False)
        intervals.append(looks.interval(step, pace))
    assert restless < intervals[0] <= 1.31 * restless
    assert intervals == sorted(intervals)
    assert intervals[-1] == round(QUIET_SHARE * step)
    looks.count(True)
    assert looks.interval(step, pace) == restless


def test_no_interval_is_longer_than_two_minutes() -> None:
    looks = Looks(None, None)
    for _ in range(100):
        looks.count(False)
    assert looks.interval(10**9, 0.5) * 0.5 == LONGEST == 120.0


def test_log_every_bounds_the_interval_of_quiet_stretches() -> None:
    looks = Looks(None, 200)
    for _ in range(100):
        looks.count(False)
    assert looks.interval(10**6, 0.01) == 200
    assert looks.interval(1000, 0.01) == 30
    assert Looks(None, 4).first == 4


def test_an_evaluation_waits_for_the_rows_of_a_label_and_later_for_a_new_one() -> None:
    looks = Looks(None, None)
    assert looks.missing_rows(100, 100, 10) == MIN_ROWS - 100
    assert looks.missing_rows(MIN_ROWS, 20, 10) == 0
    assert looks.missing_rows(10 * MIN_ROWS, 0, 10) == 1
    assert looks.missing_rows(0, 0, MAX_WAIT) == 0  # the silence is reported
    assert Looks(10, None).missing_rows(0, 0, 10) == 0
