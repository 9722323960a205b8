"""Histograms of all dimensions at once, pooled into the few buckets that TensorBoard draws."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...statistics.snapshot import Histogram

MAX_BUCKETS = 32
"""Buckets of a histogram; the page itself draws 30."""


class Buckets(NamedTuple):
    """A histogram as TensorBoard draws it, from its least value to its greatest one."""

    min: float
    max: float
    limits: list[float]
    """Right edge of each bucket."""
    counts: list[float]

    def rows(self, low: float, high: float) -> NDArray[np.float64]:
        """Return left edge, right edge and count of each bucket (k + 2, 3), with an empty one up to `low` and `high`.

        TensorBoard's axis reaches from the first edge to the last one, so that all histograms have one scale.
        """
        lefts, rights = [low, self.min, *self.limits[:-1], self.max], [self.min, *self.limits[:-1], self.max, high]
        return np.array([lefts, rights, [0.0, *self.counts, 0.0]]).T


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
    # The true ends, where they are known, instead of the edges of the outermost bins.
    known = least < greatest
    low = np.where(known & (lefts[heads] < least) & (least < limits[heads]), least, lefts[heads])
    high = np.where(known & (lefts[tails] < greatest) & (greatest < limits[tails]), greatest, limits[tails])
    limit, count = limits.tolist(), counts.tolist()
    columns = (column.tolist() for column in (kept, heads, after, low, high))
    for j, i, k, least_value, greatest_value in zip(*columns, strict=True):
        yield numbers[j], Buckets(least_value, greatest_value, limit[i:k], count[i:k])


def common_ends(drawn: Sequence[Buckets | None]) -> tuple[float, float]:
    """Return the ends of one scale for histograms: ± the least power of two beyond all of their values.

    Example:
        >>> common_ends([Buckets(-0.1, 0.2, [0.2], [3.0]), Buckets(-2.9, 2.5, [2.5], [3.0]), None])
        (-4.0, 4.0)
    """
    largest = max((max(-one.min, one.max, 0.0) for one in drawn if one is not None), default=1.0)
    end = math.ldexp(1.0, math.frexp(largest)[1]) if largest > 0.0 else 1.0
    return -end, end
