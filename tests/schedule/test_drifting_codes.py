"""A code that moves within a window: the interval holds the information averaged over the steps, as rows are spread."""

from __future__ import annotations

import numpy as np
import pytest

from bench import drift

EVERY, SEEDS = 200, 100


@pytest.mark.parametrize(
    ("kind", "rate"), [("still", 0.0), ("polarises", 0.1), ("polarises", 0.3), ("fades", 0.1), ("moves", 0.1)]
)
def test_the_interval_holds_the_average_over_the_steps(kind: str, rate: float) -> None:
    value, error = drift.estimates(drift.spread(EVERY), EVERY, kind, rate, SEEDS)
    right = drift.truth(EVERY, kind, rate)
    assert 0.87 <= np.mean(np.abs(value - right) <= 1.96 * error) <= 0.995
    assert abs(np.mean(value) - right) < 0.01


def test_rows_from_the_end_of_the_interval_would_not_hold_it() -> None:
    value, error = drift.estimates(drift.at_the_end(EVERY), EVERY, "fades", 0.3, SEEDS)
    assert np.mean(np.abs(value - drift.truth(EVERY, "fades", 0.3)) <= 1.96 * error) < 0.1
