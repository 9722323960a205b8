"""The bench of the schedule: a week of evaluations fits the stated size of a log."""

from __future__ import annotations

import pytest

from bench.schedule.week import week

MAX_LOG = 200e6
EVALUATION = 15_000
"""Bytes of an evaluation of 128 dimensions, both sinks, one in eight full; `python -m bench.schedule` measures them."""


@pytest.mark.parametrize("pace", [0.001, 0.01, 0.1, 1.0])
def test_a_week_does_not_fill_the_disk(pace: float) -> None:
    quiet, restless = week(pace, restless=False)[0], week(pace, restless=True)[0]
    assert quiet < 0.7 * restless
    assert restless * EVALUATION <= MAX_LOG
