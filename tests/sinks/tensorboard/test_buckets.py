"""Histograms pooled into buckets: the same counts as by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.sinks.tensorboard.buckets import pooled
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
    for h, found in zip(many, pooled(many), strict=True):
        expected = slowly(h)
        if expected is None:
            assert found is None
            continue
        buckets, limits = expected
        assert (found.bucket, found.bucket_limit) == (buckets, limits)
        assert found.num == sum(buckets)
        lefts = [found.min, *limits[:-1]]
        middles = [(a + b) / 2 for a, b in zip(lefts, limits, strict=True)]
        assert found.sum == pytest.approx(sum(c * m for c, m in zip(buckets, middles, strict=True)), abs=1e-9)
        squares = sum(c * m * m for c, m in zip(buckets, middles, strict=True))
        assert found.sum_squares == pytest.approx(squares, abs=1e-9)
        assert found.max == limits[-1]


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [(0.25, 3.5, (0.25, 3.5)), (-9.0, 3.5, (0.0, 3.5)), (0.25, 99.0, (0.25, 4.0)), (1.5, 1.5, (0.0, 4.0))],
    ids=["known", "outlier_below", "outlier_above", "a_point"],
)
def test_ends_are_the_extreme_values_where_these_are_in_the_outermost_bins(low, high, ends):
    (found,) = pooled([Histogram(0.0, 1.0, np.array([1, 0, 2, 1]), low, high)])
    assert (found.min, found.max) == ends
