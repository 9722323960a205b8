"""Histograms of all dimensions with few bins, for drawing: computed when somebody reads one, not at each evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from ..kernels.histogram import FAR, FINEST, MIN_OUTLIER_ROWS
from .array_types import Array
from .snapshot import Histogram

Frame = tuple[float, float, int, float, float]


class Pane(NamedTuple):
    """State of the histograms of D dimensions with B bins, in the order of the kernels' arguments."""

    counts: NDArray[np.int64]
    exponent: NDArray[np.int64]
    low: Array
    high: Array
    extremes: NDArray[np.float32]
    tallies: NDArray[np.int64]


class DrawnHistograms(Sequence[Histogram]):
    """Histograms of a state, which must not change, in at most `max_bins` (2 or more) bins of a dyadic grid.

    Counts include all finite values except outliers. `low` and `high` are the exact extremes of all values. Without a
    finite value: NaN and no bins.
    """

    def __init__(self, pane: Pane, max_bins: int) -> None:
        self._pane: Pane | None = pane
        self._max_bins = max_bins
        self._dimensions = len(pane.exponent)
        self._counts: NDArray[np.int64] = np.zeros((0, max_bins), np.int64)
        self._frames: list[Frame] = []

    def __len__(self) -> int:
        return self._dimensions

    @overload
    def __getitem__(self, index: int) -> Histogram: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Histogram, ...]: ...

    def __getitem__(self, index: int | slice) -> Histogram | tuple[Histogram, ...]:
        if self._pane is not None:
            self._counts, self._frames = _drawn(self._pane, self._max_bins)
            self._pane = None  # it is larger than what is drawn of it
        if isinstance(index, slice):
            return tuple(self[j] for j in range(*index.indices(self._dimensions)))
        left, width, bins, low, high = self._frames[index]
        return Histogram(left, width, self._counts[index, :bins], low, high)

    def chosen(self, dimensions: Sequence[int]) -> Sequence[Histogram]:
        """Return the histograms of some dimensions, in this order."""
        if self._pane is None or len(dimensions) == self._dimensions:
            return [self[j] for j in dimensions]
        pane, some = self._pane, np.array(dimensions, np.intp)
        part = Pane._make([*(array[some] for array in pane[:-1]), pane.tallies[:, some]])
        return DrawnHistograms(part, self._max_bins)

    def __iter__(self) -> Iterator[Histogram]:
        return iter(self[:])

    def __repr__(self) -> str:
        return repr(self[:])


class CoveredHistograms(Sequence[Histogram]):
    """Histograms of D dimensions of which some are `covered`; the others have NaN and no bins."""

    def __init__(self, drawn: DrawnHistograms, covered: NDArray[np.int64], dimensions: int) -> None:
        self._drawn, self._dimensions = drawn, dimensions
        self._places = {int(dimension): place for place, dimension in enumerate(covered)}

    def __len__(self) -> int:
        return self._dimensions

    @overload
    def __getitem__(self, index: int) -> Histogram: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Histogram, ...]: ...

    def __getitem__(self, index: int | slice) -> Histogram | tuple[Histogram, ...]:
        if isinstance(index, slice):
            return tuple(self[j] for j in range(*index.indices(self._dimensions)))
        place = self._places.get(range(self._dimensions)[index])
        return _NOTHING if place is None else self._drawn[place]

    def chosen(self, dimensions: Sequence[int]) -> Sequence[Histogram]:
        """Return the histograms of some dimensions, in this order."""
        known = [j for j in dimensions if j in self._places]
        drawn = dict(zip(known, self._drawn.chosen([self._places[j] for j in known]), strict=True)) if known else {}
        return [drawn.get(j, _NOTHING) for j in dimensions]

    def __repr__(self) -> str:
        return f"<histograms of {len(self._places)} of {self._dimensions} dimensions>"


_NOTHING = Histogram(math.nan, math.nan, np.zeros(0, np.int64), math.nan, math.nan)


def chosen_histograms(histograms: Sequence[Histogram], dimensions: Sequence[int]) -> Sequence[Histogram]:
    """Return the histograms of some dimensions; those of the others are not drawn."""
    if isinstance(histograms, DrawnHistograms | CoveredHistograms):
        return histograms.chosen(dimensions)
    return [histograms[j] for j in dimensions]


def outliers(pane: Pane) -> NDArray[np.bool_]:
    """Return True for the extremes (D, 2K) that are far from all binned values. No drawn bin holds them."""
    extremes, n = pane.extremes.astype(np.float64), pane.tallies[0]
    far = np.where((n >= MIN_OUTLIER_ROWS) & (pane.low < pane.high), FAR * (pane.high - pane.low), np.inf)
    with np.errstate(invalid="ignore"):  # inf − inf, where no value is binned
        below, above = pane.low - far, pane.high + far
        return np.asarray((extremes < below[:, None]) | (extremes > above[:, None]))


def _drawn(pane: Pane, most: int) -> tuple[NDArray[np.int64], list[Frame]]:
    """Return the counts (D, `most`), and left edge, width, number of bins and least and largest value of each."""
    dimensions, bins = pane.counts.shape
    every, own, n = np.arange(dimensions), pane.exponent, pane.tallies[0]
    extremes, size = pane.extremes.astype(np.float64), pane.extremes.shape[1]
    used = np.minimum(n, size)
    kept = (np.arange(size) < used[:, None]) & ~outliers(pane)
    left = np.minimum(pane.low, np.where(kept, extremes, np.inf).min(axis=1))
    right = np.maximum(pane.high, np.where(kept, extremes, -np.inf).max(axis=1))
    left, right = np.where(n > 0, left, 0.0), np.where(n > 0, right, 0.0)
    largest = np.where(right > -left, right, left)
    e = np.maximum(np.where(largest == 0.0, FINEST, np.frexp(largest)[1] - 24), FINEST)
    e = np.maximum(np.maximum(e, own), np.frexp((right - left) / most)[1] - 2)
    while (wide := _bin(right, e) - _bin(left, e) >= most).any():
        e = e + wide
    first = _bin(left, e)
    # the bin at j of the ring has the number j modulo B
    start = _bin(np.where(np.isfinite(pane.low), pane.low, 0.0), own)[:, None]
    numbers = start + ((np.arange(bins) - start) & (bins - 1))
    places = np.clip((numbers >> np.minimum(e - own, 62)[:, None]) - first[:, None], 0, most - 1)
    places += (every * most)[:, None]
    counts = np.bincount(places.ravel(), pane.counts.ravel(), dimensions * most)
    where = kept.nonzero()[0]
    counts += np.bincount(_bin(extremes[kept], e[where]) + (every * most - first)[where], minlength=dimensions * most)
    frame = [np.ldexp(first, e), np.ldexp(1.0, e), extremes[:, 0], extremes[every, used - 1]]
    edge, width, low, high = np.where(n > 0, frame, np.nan).tolist()
    filled = np.where(n > 0, _bin(right, e) - first + 1, 0).tolist()
    frames = list(zip(edge, width, filled, low, high, strict=True))
    return counts.astype(np.int64).reshape(dimensions, most), frames


def _bin(values: Array, e: Any) -> NDArray[np.int64]:
    return np.asarray(np.floor(np.ldexp(values, -e)), np.int64)
