"""Histograms pooled into buckets: the same counts as by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.sinks.tensorboard.buckets import common_ends, pooled
from polar_monitor.statistics.snapshot import Histogram


def slowly(h: Histogram) -> tuple[list[float], list[float]] | None:
    """Buckets and limits by hand."""
    filled = [i for i, count in enumerate(h.counts) if count]
    if not filled or not math.isfinite(h.width):
        return None
    pool = math.ceil((filled[-1] + 1 - filled[0]) / 32)
    buckets, limits = [], []
    for start in range(filled[0], filled[-1] + 1, pool):
        stop = min(start + pool, filled[-1] + 1)
        buckets.append(float(sum(h.counts[start:stop])))
        limits.append(h.left + h.width * stop)
    return buckets, limits


@st.composite
def histograms(draw):
    counts = draw(st.lists(st.integers(0, 3), max_size=90))
    width = draw(st.sampled_from([math.nan, 2.0**-9, 0.5, 1024.0]))
    return Histogram(draw(st.integers(-50, 50)) / 4, width, np.array(counts, np.int64), math.nan, math.nan)


@given(st.lists(histograms(), max_size=6))
def test_pooling_all_at_once_is_pooling_one_by_one(many):
    for h, drawn in zip(many, pooled(many), strict=True):
        expected = slowly(h)
        if expected is None:
            assert drawn is None
            continue
        buckets, limits = expected
        assert (drawn.counts, drawn.limits) == (buckets, limits)
        assert drawn.min == h.left + h.width * next(i for i, count in enumerate(h.counts) if count)
        assert drawn.max == limits[-1]
        rows = drawn.rows(-1e6, 1e6)
        assert rows[1:-1, 2].tolist() == buckets
        assert (rows[0].tolist(), rows[-1].tolist()) == ([-1e6, drawn.min, 0.0], [drawn.max, 1e6, 0.0])
        np.testing.assert_array_equal(rows[1:, 0], rows[:-1, 1])


def test_one_scale_holds_all_values_and_is_not_larger_than_it_must_be():
    def of(low, high):
        return pooled([Histogram(low, (high - low) / 2, np.array([1, 2]), low, high)])[0]

    assert common_ends([of(-0.4, 0.3), None, of(1.5, 2.5)]) == (-4.0, 4.0)
    assert common_ends([of(-0.01, 0.03)]) == (-0.03125, 0.03125)
    assert common_ends([None]) == common_ends([]) == (-2.0, 2.0)


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [(0.25, 3.5, (0.25, 3.5)), (-9.0, 3.5, (0.0, 3.5)), (0.25, 99.0, (0.25, 4.0)), (1.5, 1.5, (0.0, 4.0))],
    ids=["known", "outlier_below", "outlier_above", "a_point"],
)
def test_ends_are_the_extreme_values_where_these_are_in_the_outermost_bins(low, high, ends):
    (drawn,) = pooled([Histogram(0.0, 1.0, np.array([1, 0, 2, 1]), low, high)])
    assert (drawn.min, drawn.max) == ends
