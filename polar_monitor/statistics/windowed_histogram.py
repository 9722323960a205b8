"""Histograms of all dimensions of a stream, over a window that moves by panes.

A pane is one mergeable histogram (`kernels.histogram` documents the state and its guarantees). Rows go to the newest
pane. After `pane_rows` rows a new pane starts and the oldest of `panes` is dropped, so that the resolution recovers
when a distribution shrinks. Only the number of rows matters, so any split of the rows into blocks gives the same panes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..arrays.columns import transposed
from ..errors import PolarMonitorError
from ..kernels import histogram as kernels
from ..kernels import histogram_entropy
from .array_types import F32, Array
from .drawn_histograms import CoveredHistograms, DrawnHistograms, Pane, outliers

PANES = 4
"""Number of parts of a moving window."""
PADDING = 16
"""Numbers between the rows of two dimensions in work space: at a distance of 4096 bytes they displace each other from
the cache."""
MAX_LOG = 64
"""Dimensions of which log σ² is drawn: those with most information."""
MAX_BINS = 65536
"""Largest number of bins: kernels keep the number of a bin in 16 bits."""


def _empty(dimensions: int, bins: int, used: Pane | None = None) -> Pane:
    """Return an empty pane, in the memory of one that is no longer needed if there is one."""
    pane = used or Pane(
        counts=np.empty((dimensions, bins), np.int64),
        exponent=np.empty(dimensions, np.int64),
        low=np.empty(dimensions),
        high=np.empty(dimensions),
        extremes=np.empty((dimensions, 2 * kernels.EXTREMES), np.float32),
        tallies=np.empty((4, dimensions), np.int64),
    )
    values: tuple[float, ...] = (0, kernels.FINEST, np.inf, -np.inf, 0, 0)
    for array, value in zip(cast("tuple[NDArray[Any], ...]", pane), values, strict=True):
        array[...] = value
    return pane


def _copy(pane: Pane) -> Pane:
    return Pane._make(array.copy() for array in pane)


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
        self._work = np.zeros(bins, np.int64)
        rows, self._freed = kernels.ROWS, np.zeros(kernels.ROWS)
        ends = np.zeros((2, rows // kernels.SEGMENT), np.int32)
        self._columns = np.empty((dimensions, PADDING), np.float32)
        self._room = ends, np.zeros(rows, np.uint16), np.zeros(rows, np.int64), self._freed
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._ring: deque[Pane] = deque([_empty(self.dimensions, self.bins)], maxlen=self.panes)
        self._rows: deque[int] = deque([0], maxlen=self.panes)
        self._left = np.zeros((3, self.dimensions), np.int64)
        self._merged: Pane | None = None

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
        self._check_columns(x)
        self._add(x, start, x.shape[1] if stop is None else stop)

    def update_rows(self, x: NDArray[np.float32]) -> None:
        """Add the rows of x (n, D) float32. Raises PolarMonitorError for anything else."""
        if x.ndim != 2 or x.shape[1] != self.dimensions or x.dtype != np.float32:
            raise PolarMonitorError(
                f"x: expected a float32 array of shape (n, {self.dimensions}), got {x.dtype} of {x.shape}"
            )
        if x.shape[0] > self._columns.shape[1] - PADDING < kernels.ROWS:
            self._columns = np.empty((self.dimensions, min(len(x), kernels.ROWS) + PADDING), np.float32)
        for start in range(0, len(x), kernels.ROWS):
            part = x[start : start + kernels.ROWS]
            self._add(transposed(part, self._columns), 0, len(part))

    def catch_up(self, x: NDArray[np.float32], pending: int, place: int) -> None:
        """Add the newest `pending` rows of a ring buffer x (D, W), whose next row will be written at `place`.

        The panes are then as if each row had been added when it came. W is at least `panes` times `pane_rows`, or else
        a pane counts the rows that are overwritten and holds those that are not. Rows of a pane that is dropped at once
        are not read, and `non_finite` does not count them. Raises PolarMonitorError.
        """
        self._check_columns(x)
        size, width = self.pane_rows, x.shape[1]
        if size is None:
            raise PolarMonitorError("catch_up: expected panes of pane_rows rows, got pane_rows None")
        while pending > 0:
            if self._rows[-1] >= size:
                self.roll()
            part = min(pending, size - self._rows[-1])
            pending -= part
            newer = -(-pending // size)
            if newer < self.panes:
                held = max(min(part, width - pending), 0)
                start = (place - pending - held) % width
                first = min(held, width - start)
                self._update(x, start, start + first)
                self._update(x, 0, held - first)
            self._rows[-1] += part
            pending -= max(newer - self.panes, 0) * size  # panes that are begun and dropped leave nothing

    def roll(self) -> None:
        """Start a new pane and drop the oldest if there are more than `panes`."""
        self._merged = None
        pane = None
        if len(self._ring) == self.panes:
            pane = self._ring.popleft()
            self._left += pane.tallies[1:]
        self._ring.append(_empty(self.dimensions, self.bins, pane))
        self._rows.append(0)

    def merge(self, other: WindowedHistogram) -> None:
        """Add the rows of another, pane by pane from the newest back. Raises PolarMonitorError on another grid."""
        self._check(other.dimensions, other.bins, other.panes)
        self._merged = None
        while len(self._ring) < len(other._ring):
            self._ring.appendleft(_empty(self.dimensions, self.bins))
            self._rows.appendleft(0)
        for i in range(1, len(other._ring) + 1):
            kernels.merge(*self._ring[-i], self._work, self._freed, *other._ring[-i])
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
        return np.asarray(outliers(self._window()).sum(axis=1))

    def draw(self, max_bins: int = 64) -> DrawnHistograms:
        """Return the histograms in at most `max_bins` (2 or more) bins, which are counted when one is first read."""
        if max_bins < 2:
            raise PolarMonitorError(f"max_bins: expected 2 or more, got {max_bins}")
        window = self._window()
        return DrawnHistograms(_copy(window) if window is self._ring[0] else window, max_bins)

    def state_dict(self) -> dict[str, Any]:
        """Return the state as ints and copied arrays. Their first axis is the panes, the newest last."""
        state: dict[str, Any] = {"dimensions": self.dimensions, "bins": self.bins, "panes": self.panes}
        state |= {name: np.stack([getattr(pane, name) for pane in self._ring]) for name in Pane._fields}
        return state | {"rows": np.array(self._rows, dtype=np.int64), "non_finite_left": self._left.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace all state. Raises PolarMonitorError if D, bins or panes differ."""
        self._check(int(state["dimensions"]), int(state["bins"]), int(state["panes"]))
        rows = [int(n) for n in state["rows"]]
        panes = [Pane._make(np.array(state[name][i]) for name in Pane._fields) for i in range(len(rows))]
        self._ring, self._rows = deque(panes, maxlen=self.panes), deque(rows, maxlen=self.panes)
        self._left = np.array(state["non_finite_left"])
        self._merged = None

    def _check(self, dimensions: int, bins: int, panes: int) -> None:
        here, there = (self.dimensions, self.bins, self.panes), (dimensions, bins, panes)
        if here != there:
            raise PolarMonitorError(f"histogram: expected (dimensions, bins, panes) = {here}, got {there}")

    def _check_columns(self, x: NDArray[np.float32]) -> None:
        if x.ndim != 2 or x.shape[0] != self.dimensions or x.dtype != np.float32 or not x.flags.c_contiguous:
            raise PolarMonitorError(
                f"x: expected a C-contiguous float32 array of shape ({self.dimensions}, n), got {x.dtype} of {x.shape}"
            )

    def _add(self, x: NDArray[np.float32], start: int, end: int) -> None:
        """Add the rows start:end of x, and start a new pane whenever the newest is full."""
        while start < end:
            if self.pane_rows is not None and self._rows[-1] >= self.pane_rows:
                self.roll()
            part = end if self.pane_rows is None else min(end, start + self.pane_rows - self._rows[-1])
            self._update(x, start, part)
            self._rows[-1] += part - start
            start = part

    def _update(self, x: NDArray[np.float32], start: int, stop: int) -> None:
        self._merged = None
        kernels.update(*self._ring[-1], self._work, *self._room, x.view(np.int32), start, stop)

    def _window(self) -> Pane:
        """Return all panes merged. The result is kept until the next change."""
        if self._merged is None:
            self._merged = _copy(self._ring[0]) if len(self._ring) > 1 else self._ring[0]
            for pane in list(self._ring)[1:]:
                kernels.merge(*self._merged, self._work, self._freed, *pane)
        return self._merged


def histograms_of_log(variance: F32 | None, information: Array) -> CoveredHistograms | tuple[()]:
    """Return histograms of the logarithms of variances (D, n) for drawing, of the dimensions with most information."""
    if variance is None or not variance.shape[1]:
        return ()
    order = np.argsort(-np.nan_to_num(information, nan=-np.inf), kind="stable")
    some = np.sort(order[:MAX_LOG])
    with np.errstate(divide="ignore", invalid="ignore"):  # what is not finite is left out
        logarithms = np.log(variance[some])
    histogram = WindowedHistogram(len(some), panes=1)
    histogram.update(logarithms)
    return CoveredHistograms(histogram.draw(), some, len(variance))
