"""Histograms of all dimensions of a stream, over a window that moves by panes.

A pane is one mergeable histogram (`kernels.histogram` documents the state and its guarantees). Rows go to the newest
pane. After `pane_rows` rows a new pane starts and the oldest of `panes` is dropped, so that the resolution recovers
when a distribution shrinks. Only the number of rows matters, so any split of the rows into blocks gives the same panes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays.columns import transposed
from ..errors import PolarMonitorError
from ..kernels import histogram as kernels
from ..kernels import histogram_entropy
from .snapshot import Array

Drawn = tuple[float, float, NDArray[np.int64], float, float]

PANES = 4
"""Number of parts of a moving window."""
MAX_BINS = 65536
"""Largest number of bins: kernels keep the number of a bin in 16 bits."""


class _Pane(NamedTuple):
    """State of one histogram, in the order of the kernels' arguments."""

    counts: NDArray[np.int64]
    exponent: NDArray[np.int64]
    low: Array
    high: Array
    extremes: NDArray[np.float32]
    tallies: NDArray[np.int64]

    @classmethod
    def empty(cls, dimensions: int, bins: int) -> _Pane:
        return cls(
            counts=np.zeros((dimensions, bins), np.int64),
            exponent=np.full(dimensions, kernels.FINEST, np.int64),
            low=np.full(dimensions, np.inf),
            high=np.full(dimensions, -np.inf),
            extremes=np.zeros((dimensions, 2 * kernels.EXTREMES), np.float32),
            tallies=np.zeros((4, dimensions), np.int64),
        )

    def copy(self) -> _Pane:
        return _Pane._make(array.copy() for array in self)


class WindowedHistogram:
    """Histograms of D dimensions of a stream of rows, exact under any order, split and merge.

    `dimensions`: number D. `bins`: bins of a dimension, a power of two from 2 to 65536. `panes`: parts of the window.
    `pane_rows`: rows of a pane; with None, only `roll` starts a new pane. Raises PolarMonitorError.
    """

    def __init__(self, dimensions: int, bins: int = 512, panes: int = PANES, pane_rows: int | None = None) -> None:
        """Start empty."""
        if dimensions < 1:
            raise PolarMonitorError(f"dimensions: expected 1 or more, got {dimensions}")
        if not 2 <= bins <= MAX_BINS or bins & (bins - 1):
            raise PolarMonitorError(f"bins: expected a power of two from 2 to {MAX_BINS}, got {bins}")
        if panes < 1:
            raise PolarMonitorError(f"panes: expected 1 or more, got {panes}")
        if pane_rows is not None and pane_rows < 1:
            raise PolarMonitorError(f"pane_rows: expected 1 or more or None, got {pane_rows}")
        self.dimensions, self.bins, self.panes, self.pane_rows = dimensions, bins, panes, pane_rows
        self._work = np.zeros(4 * bins, np.int64)
        rows, pair = kernels.ROWS, np.zeros(2, np.float32)
        ends, numbers = np.zeros((2, rows // kernels.SEGMENT), np.int32), np.zeros(rows, np.uint16)
        self._room = pair, pair.view(np.int32), ends, numbers, np.zeros(rows, np.int64), np.zeros(rows)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._ring: deque[_Pane] = deque([_Pane.empty(self.dimensions, self.bins)], maxlen=self.panes)
        self._rows: deque[int] = deque([0], maxlen=self.panes)
        self._left = np.zeros((3, self.dimensions), np.int64)
        self._merged: _Pane | None = None

    @property
    def rows(self) -> int:
        """Rows in the window."""
        return sum(self._rows)

    @property
    def non_finite(self) -> NDArray[np.int64]:
        """Numbers of NaN, -inf and +inf values of each dimension since the beginning, int64 (3, D)."""
        total = self._left.copy()
        for pane in self._ring:
            total += pane.tallies[1:]
        return total

    def update(self, x: NDArray[np.float32], start: int = 0, stop: int | None = None) -> None:
        """Add the rows start:stop of x (D, n) float32, C-contiguous. Raises PolarMonitorError for anything else."""
        if x.ndim != 2 or x.shape[0] != self.dimensions or x.dtype != np.float32 or not x.flags.c_contiguous:
            raise PolarMonitorError(
                f"x: expected a C-contiguous float32 array of shape ({self.dimensions}, n), got {x.dtype} of {x.shape}"
            )
        self._merged = None
        end, bits = x.shape[1] if stop is None else stop, x.view(np.int32)
        while start < end:
            if self.pane_rows is not None and self._rows[-1] >= self.pane_rows:
                self.roll()
            part = end if self.pane_rows is None else min(end, start + self.pane_rows - self._rows[-1])
            kernels.update(*self._ring[-1], self._work, *self._room, x, bits, start, part)
            self._rows[-1] += part - start
            start = part

    def update_rows(self, x: NDArray[np.float32]) -> None:
        """Add the rows of x (n, D) float32. Raises PolarMonitorError for anything else."""
        if x.ndim != 2 or x.shape[1] != self.dimensions or x.dtype != np.float32:
            raise PolarMonitorError(
                f"x: expected a float32 array of shape (n, {self.dimensions}), got {x.dtype} of {x.shape}"
            )
        self.update(transposed(x, np.empty(x.shape[::-1], np.float32)))

    def roll(self) -> None:
        """Start a new pane and drop the oldest if there are more than `panes`."""
        self._merged = None
        if len(self._ring) == self.panes:
            self._left += self._ring[0].tallies[1:]
        self._ring.append(_Pane.empty(self.dimensions, self.bins))
        self._rows.append(0)

    def merge(self, other: WindowedHistogram) -> None:
        """Add the rows of another, pane by pane from the newest back. Raises PolarMonitorError on another grid."""
        self._check(other.dimensions, other.bins, other.panes)
        self._merged = None
        while len(self._ring) < len(other._ring):
            self._ring.appendleft(_Pane.empty(self.dimensions, self.bins))
            self._rows.appendleft(0)
        for i in range(1, len(other._ring) + 1):
            kernels.merge(*self._ring[-i], self._work, *other._ring[-i])
            self._rows[-i] += other._rows[-i]
        self._left += other._left

    def entropy(self, effective: float | Array = np.inf) -> histogram_entropy.Entropy:
        """Estimate the differential entropy of the window in nats, with standard error and flags, (D,) each.

        `effective`, a number or (D,): number of independent rows that these are worth, for the error; at most their
        number. NaN without a finite value. A constant has the entropy of its float32 rounding cell, with error 0.
        """
        ordered, frame = np.empty((self.dimensions, 4 * self.bins), np.int64), np.empty((self.dimensions, 6))
        kernels.ordered_counts(*self._window(), ordered, frame)
        return histogram_entropy.estimate(ordered, frame, effective)

    def finite(self) -> NDArray[np.int64]:
        """Count the finite values in the window, int64 (D,)."""
        return np.array(self._window().tallies[0])

    def outliers(self) -> NDArray[np.int64]:
        """Count the extreme values that are far from all others, int64 (D,). No drawn bin holds them."""
        return np.asarray(self._drawn(2)[2][1])

    def draw(self, max_bins: int = 64) -> tuple[Drawn, ...]:
        """Return (left, width, counts, low, high) of each dimension, in at most `max_bins` (2 or more) bins.

        Bin i covers [left + i·width, left + (i+1)·width). Counts include all finite values except outliers. low and
        high are the exact extremes of all values. Without a finite value: NaN and no bins.
        """
        if max_bins < 2:
            raise PolarMonitorError(f"max_bins: expected 2 or more, got {max_bins}")
        counts, frame, held = self._drawn(max_bins)
        return tuple(
            (left, width, row[:used], low, high)
            for row, used, (left, width, low, high) in zip(counts, held[0], frame.T.tolist(), strict=True)
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the state as ints and copied arrays. Their first axis is the panes, the newest last."""
        state: dict[str, Any] = {"dimensions": self.dimensions, "bins": self.bins, "panes": self.panes}
        state |= {name: np.stack([getattr(pane, name) for pane in self._ring]) for name in _Pane._fields}
        return state | {"rows": np.array(self._rows, dtype=np.int64), "non_finite_left": self._left.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace all state. Raises PolarMonitorError if D, bins or panes differ."""
        self._check(int(state["dimensions"]), int(state["bins"]), int(state["panes"]))
        rows = [int(n) for n in state["rows"]]
        panes = [_Pane._make(np.array(state[name][i]) for name in _Pane._fields) for i in range(len(rows))]
        self._ring, self._rows = deque(panes, maxlen=self.panes), deque(rows, maxlen=self.panes)
        self._left = np.array(state["non_finite_left"])
        self._merged = None

    def _check(self, dimensions: int, bins: int, panes: int) -> None:
        here, there = (self.dimensions, self.bins, self.panes), (dimensions, bins, panes)
        if here != there:
            raise PolarMonitorError(f"histogram: expected (dimensions, bins, panes) = {here}, got {there}")

    def _drawn(self, max_bins: int) -> tuple[NDArray[np.int64], Array, NDArray[np.int64]]:
        counts = np.zeros((self.dimensions, max_bins), np.int64)
        frame, held = np.empty((4, self.dimensions)), np.empty((2, self.dimensions), np.int64)
        kernels.draw(*self._window(), counts, frame, held)
        return counts, frame, held

    def _window(self) -> _Pane:
        """Return all panes merged. The result is kept until the next change."""
        if self._merged is None:
            self._merged = self._ring[0].copy() if len(self._ring) > 1 else self._ring[0]
            for pane in list(self._ring)[1:]:
                kernels.merge(*self._merged, self._work, *pane)
        return self._merged
