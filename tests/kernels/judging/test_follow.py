"""One evaluation more in the history of the dimensions, against each dimension by itself."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.alerts.signals.cusum import (
    MAX_RECOVERED_DROP,
    MIN_RECOVERED_SHARE,
    Drops,
    log_level,
    update_one,
)
from polar_monitor.kernels.judging.follow import follow

LIMITS = (1.96, 0.35, 0.002, 1 - MIN_RECOVERED_SHARE, MAX_RECOVERED_DROP)
LEVEL = st.sampled_from([0.0, 0.005, 0.3, 0.37, 0.4, 1.0, 1.5, 3.0])
STEPS = st.sampled_from([3.0, 12.5, 25.0])
DIMENSION = st.lists(st.tuples(LEVEL, st.sampled_from([0.0, 0.01, 0.2]), st.booleans()), min_size=9, max_size=9)


@given(
    st.lists(DIMENSION, min_size=1, max_size=5),
    st.lists(STEPS, min_size=9, max_size=9),
    st.sampled_from([0.0, 30.0, 80.0]),
)
def test_counts_and_drops_are_those_of_one_dimension_at_a_time(
    dimensions: list[list[tuple[float, float, bool]]], steps: list[float], established: float
) -> None:
    D = len(dimensions)
    drops, counts, used = np.zeros((4, D)), np.zeros((4, D)), np.zeros(D, np.bool_)
    expected: list[tuple[Drops, list[float], bool]] = [((0.0, 0.0, 0.0, 0.0), [0.0] * 4, False)] * D
    rows = np.array(dimensions).swapaxes(0, 1)
    for before, now, passed in zip(rows[:-1], rows[1:], steps[1:], strict=True):
        logs = log_level(now[:, 0]), log_level(before[:, 0])
        levels, going = np.ascontiguousarray(now[:, :2].T), now[:, 2] > 0
        new = np.full((4, D), np.nan), np.full((4, D), -7.0), np.zeros(D, np.bool_)
        largest = follow(levels, *logs, going, drops, counts, used, (*LIMITS, passed, established), *new)
        drops, counts, used = new
        for j, (old, count, was_used) in enumerate(expected):
            above = passed * bool(levels[0, j] - LIMITS[0] * levels[1, j] >= LIMITS[1])
            count = (
                [n + more for n, more in zip(count, (passed, passed, above, above), strict=True)]
                if going[j]
                else [0.0] * 4
            )
            one = update_one(old, float(logs[0][j] - logs[1][j]), LIMITS[2]) if count[2] else (0.0, 0.0, 0.0, 0.0)
            expected[j] = one, count, was_used or bool(going[j] and count[3] >= established)
            assert (tuple(drops[:, j].tolist()), counts[:, j].tolist(), used[j]) == expected[j]
        assert largest == drops[0].max()


def test_known_values() -> None:
    levels, one = np.array([[0.5], [0.01]]), np.ones(1)
    drops, counts, used = np.zeros((4, 1)), np.full((4, 1), 100.0), np.zeros(1, np.bool_)
    new = np.empty((4, 1)), np.empty((4, 1)), np.empty(1, np.bool_)
    largest = follow(levels, one * 0.0, one, one > 0, drops, counts, used, (*LIMITS, 25.0, 125.0), *new)
    assert largest == 0.998
    assert new[0].ravel().tolist() == [0.998, 0.998, 0.0, 0.0]
    assert new[1].ravel().tolist() == [125.0] * 4
    assert new[2].tolist() == [True]
