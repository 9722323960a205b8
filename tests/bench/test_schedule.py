"""The bench of the schedule: a week of evaluations, of the size that they have now, fits the stated size of a log."""

from __future__ import annotations

import pytest

from bench.schedule.week import bytes_of_an_evaluation, week

MAX_LOG = 200e6


@pytest.fixture(scope="module")
def evaluation() -> float:
    """Bytes of an evaluation of 128 dimensions, both sinks, one in eight full."""
    return bytes_of_an_evaluation(128)


@pytest.mark.parametrize("pace", [0.001, 0.01, 0.1, 1.0])
def test_a_week_does_not_fill_the_disk(pace: float, evaluation: float) -> None:
    quiet, restless = week(pace, restless=False)[0], week(pace, restless=True)[0]
    assert quiet < 0.8 * restless
    assert restless * evaluation <= MAX_LOG
