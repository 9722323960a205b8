"""Rows that offline statistics are taken over: all of them, or an even choice if there are too many to hold.

One input of each block of 2, 4, 8 … inputs is kept (`arrays/subsampling`). The choice needs no random number and is the
same however the rows are split into chunks. Counts (rows, values that are not finite, the drawn histogram) are of all
rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import subsampling
from ..arrays.rows import F32
from ..errors import PolarMonitorError
from ..statistics.resolution import Scale
from ..statistics.snapshot import Snapshot
from ..statistics.stream import WINDOW_BYTES, LatentStream
from ..statistics.windowed_histogram import WindowedHistogram
from .batch import Batch, joined

MAX_ROWS = 2**16
"""Rows that statistics are taken over; more than half as many remain if there are more."""
MAX_PIECES = 64
"""Held batches from which on they are joined."""


class Subset:
    """Reducer of batches to one snapshot. Batches and other subsets may come in any order: the bits are the same."""

    def __init__(self, prior: tuple[Any, Any] | None, resolution: float | None = None) -> None:
        self.prior, self.resolution = prior, resolution
        self.inputs = 0
        self.rows = 0
        self._level = 0
        self._held: list[tuple[Batch, NDArray[np.int64]]] = []
        """Batches, as far as they are kept, and the numbers of their inputs."""
        self._largest = 1
        """Largest number of rows of an input."""
        self._mantissa = 23
        """Fewest bits of the types that the means came in."""
        self._histogram: WindowedHistogram | None = None
        """Histogram of all rows, from the first row on that is not held."""
        self._non_finite: NDArray[np.int64] = np.zeros(1, np.int64)

    @property
    def shape(self) -> tuple[int, bool] | None:
        """(dimensions, has a variance); None before the first row."""
        if not self._held:
            return None
        batch = self._held[0][0]
        return batch.mean.shape[1], batch.variance is not None

    def add(self, batch: Batch, numbers: NDArray[np.int64] | None = None) -> None:
        """Add the rows of a batch; `numbers` (n,) are those of its inputs among all, None if it continues."""
        n = batch.inputs
        if numbers is None:
            numbers = np.arange(self.inputs, self.inputs + n)
        finite = np.isfinite(batch.mean)
        if batch.variance is not None:
            finite &= np.isfinite(batch.variance)
        self._non_finite = self._non_finite + (len(finite) - finite.sum(axis=0))
        if self._histogram is not None:
            self._histogram.update_rows(batch.mean)
        self._hold(batch, numbers)
        self.inputs += n
        self.rows += len(batch.mean)
        self._largest = max(self._largest, int(np.max(batch.per)))
        self._mantissa = min(self._mantissa, batch.mantissa)
        self._thin(self._level_needed(batch.mean.shape[1]))

    def merge(self, other: Subset) -> None:
        """Add the rows of another subset, of the same shape."""
        if other.shape is None:
            return
        dimensions = other.shape[0]
        self.inputs += other.inputs
        self.rows += other.rows
        self._largest = max(self._largest, other._largest)
        self._mantissa = min(self._mantissa, other._mantissa)
        self._non_finite = self._non_finite + other._non_finite
        if self._histogram is not None or other._histogram is not None:
            theirs = other._histogram or other._histogram_of_held(dimensions)
            self._histogram = self._histogram or self._histogram_of_held(dimensions)
            self._histogram.merge(theirs)
        level, self._level = self._level, max(self._level, other._level)
        if self._level > level:
            self._keep_level()
        for batch, numbers in other._held:
            self._hold(batch, numbers, copied=True)
        self._thin(self._level_needed(dimensions))

    def snapshot(self, scale: Callable[[F32, int], Scale] | None = None) -> Snapshot:
        """Return the statistics of the rows that are kept, in the order of their inputs; `n` is their number.

        `scale` gives the decoder's scale of codes (n, D), of which an input has so many at most. Raises
        PolarMonitorError if an input came twice.
        """
        batch = self._in_order()
        stream = LatentStream(
            batch.mean.shape[1],
            window=max(512, -(-len(batch.mean) // 16) * 16),
            has_variance=batch.variance is not None,
            prior=self.prior,
            resolution=self.resolution,
        )
        stream.update(batch.mean, batch.variance, batch.begins, self._mantissa)
        if scale is not None:
            stream.scale = scale(batch.mean, self._largest)
        snapshot = stream.snapshot(step=0)
        if self._histogram is None:
            return snapshot
        non_finite = self._non_finite.astype(np.float64)
        return replace(snapshot, rows=self.rows, non_finite=non_finite, histograms=self._histogram.draw())

    def _in_order(self) -> Batch:
        """Join the held batches to one, its inputs in the order of their numbers."""
        batch, numbers = joined(self._held)
        self._held = [(batch, numbers)]
        steps = np.diff(numbers)
        if (steps > 0).all():
            return batch
        order = np.argsort(numbers, kind="stable")
        batch, numbers = batch.some(order), numbers[order]
        if (twice := np.flatnonzero(np.diff(numbers) == 0)).size:
            raise PolarMonitorError(
                f"expected each input once, but number {numbers[twice[0]]} came twice: give the first row of every "
                "update its number among all rows, update(…, first=…)"
            )
        self._held = [(batch, numbers)]
        return batch

    def _hold(self, batch: Batch, numbers: NDArray[np.int64], copied: bool = False) -> None:
        """Hold what the level keeps, without a copy if the batch is `copied` from the caller's memory already."""
        taken = _taken(numbers, self._level)
        if copied and taken.size == len(numbers):
            self._held.append((batch, numbers))
        elif taken.size:
            self._held.append((batch.some(taken), numbers[taken]))
        if len(self._held) > MAX_PIECES:
            self._held = [joined(self._held)]

    def _level_needed(self, dimensions: int) -> int:
        return max(self._level, subsampling.halvings_needed(self.inputs, _max_inputs(dimensions, self._largest)))

    def _thin(self, level: int) -> None:
        if level == self._level:
            return
        if self._histogram is None:  # until now all rows were held
            self._histogram = self._histogram_of_held(self._held[0][0].mean.shape[1])
        self._level = level
        self._keep_level()

    def _keep_level(self) -> None:
        held, self._held = self._held, []
        for batch, numbers in held:
            self._hold(batch, numbers, copied=True)

    def _histogram_of_held(self, dimensions: int) -> WindowedHistogram:
        histogram = WindowedHistogram(dimensions, panes=1)
        for batch, _ in self._held:
            histogram.update_rows(batch.mean)
        return histogram


def _taken(numbers: NDArray[np.int64], level: int) -> NDArray[np.intp]:
    """Return the places of the inputs that are kept at a level."""
    if not level:
        return np.arange(len(numbers))
    if len(numbers) and numbers[-1] - numbers[0] == len(numbers) - 1 and (np.diff(numbers) == 1).all():
        start = int(numbers[0])
        return subsampling.kept_rows(start, int(numbers[-1]) + 1, level) - start
    return np.flatnonzero(numbers == subsampling.row_of_block(numbers >> level, level))


def _max_inputs(dimensions: int, rows_per_input: int) -> int:
    """Return the number of inputs whose rows fit the window of a stream."""
    rows: int = min(MAX_ROWS, max(512, WINDOW_BYTES // (4 * dimensions)) // 16 * 16)
    return max(rows // rows_per_input, 1)
