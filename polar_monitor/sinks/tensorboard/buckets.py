"""Histograms of all dimensions at once, pooled into the few buckets that TensorBoard draws."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ...statistics.snapshot import Histogram

MAX_BUCKETS = 32
"""Buckets of a histogram; the page itself draws 30."""


class Buckets(NamedTuple):
    """Fields of TensorBoard's `HistogramProto`; the sums take every value for the middle of its bucket."""

    min: float
    max: float
    num: float
    sum: float
    sum_squares: float
    bucket_limit: list[float]
    bucket: list[float]


def pooled(histograms: Sequence[Histogram]) -> list[Buckets | None]:
    """Pool each histogram exactly into at most 32 buckets, from its first filled bin to its last; None if empty."""
    drawn = [j for j, h in enumerate(histograms) if len(h.counts) and math.isfinite(h.width)]
    buckets: list[Buckets | None] = [None] * len(histograms)
    if drawn:
        for j, one in _pooled(drawn, [histograms[j] for j in drawn]):
            buckets[j] = one
    return buckets


def _pooled(numbers: list[int], histograms: list[Histogram]) -> Iterator[tuple[int, Buckets]]:
    """Yield the number and the buckets of each histogram that holds a value; every histogram has a bin."""
    # All bins in one row; no count is lost if a histogram is left out, since it has none.
    bins = np.concatenate([h.counts for h in histograms])
    sizes = np.array([len(h.counts) for h in histograms])
    ends = np.cumsum(sizes)
    filled = np.flatnonzero(bins)
    one, none = np.searchsorted(filled, ends - sizes), np.searchsorted(filled, ends)
    kept = np.flatnonzero(one < none)
    if not kept.size:
        return
    begin, first, last = (ends - sizes)[kept], filled[one[kept]], filled[none[kept] - 1]
    left, width, least, greatest = np.array([(h.left, h.width, h.low, h.high) for h in histograms])[kept].T
    # All buckets in one row too: b the histogram of each, heads and tails the outermost ones.
    pool = (last - first) // MAX_BUCKETS + 1
    many = (last - first) // pool + 1
    after = np.cumsum(many)
    heads, tails = after - many, after - 1
    b = np.repeat(np.arange(len(kept)), many)
    starts = first[b] + pool[b] * (np.arange(len(b)) - heads[b])
    counts = np.add.reduceat(bins, starts).astype(np.float64)
    lefts = left[b] + width[b] * (starts - begin[b])
    limits = left[b] + width[b] * (np.minimum(starts + pool[b], last[b] + 1) - begin[b])
    middles = 0.5 * (lefts + limits)
    num, total, squares = (np.add.reduceat(counts * power, heads) for power in (1.0, middles, middles * middles))
    # The true ends, where they are known, instead of the edges of the outermost bins.
    known = least < greatest
    low = np.where(known & (lefts[heads] < least) & (least < limits[heads]), least, lefts[heads])
    high = np.where(known & (lefts[tails] < greatest) & (greatest < limits[tails]), greatest, limits[tails])
    limit, count = limits.tolist(), counts.tolist()
    columns = (column.tolist() for column in (kept, heads, after, low, high, num, total, squares))
    for j, i, k, *sums in zip(*columns, strict=True):
        yield numbers[j], Buckets._make((*sums, limit[i:k], count[i:k]))
