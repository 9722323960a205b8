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
from ..statistics.resolution import Scale
from ..statistics.snapshot import Snapshot
from ..statistics.stream import WINDOW_BYTES, LatentStream
from ..statistics.windowed_histogram import WindowedHistogram
from .batch import Batch

MAX_ROWS = 2**16
"""Rows that statistics are taken over; more than half as many remain if there are more."""


class Subset:
    """Reducer of batches to one snapshot."""

    def __init__(
        self,
        prior: tuple[Any, Any] | None,
        resolution: float | None = None,
        scale: Callable[[F32, int], Scale] | None = None,
    ) -> None:
        """`scale`: the decoder's scale of codes (n, D), of which an input has so many at most."""
        self.prior, self.resolution, self._scale = prior, resolution, scale
        self.inputs = 0
        self.rows = 0
        self._level = 0
        self._held: list[tuple[Batch, NDArray[np.int64]]] = []
        """Batches, as far as they are kept, and the numbers of their inputs."""
        self._largest = 1
        """Largest number of rows of an input."""
        self._histogram: WindowedHistogram | None = None
        self._non_finite: NDArray[np.int64] = np.zeros(1, np.int64)

    def add(self, batch: Batch) -> None:
        """Add the rows of a batch."""
        n = batch.inputs
        finite = np.isfinite(batch.mean)
        if batch.variance is not None:
            finite &= np.isfinite(batch.variance)
        self._non_finite = self._non_finite + (len(finite) - finite.sum(axis=0))
        if self._histogram is not None:
            self._histogram.update_rows(batch.mean)
        taken = subsampling.kept_rows(self.inputs, self.inputs + n, self._level)
        if taken.size:
            self._held.append((batch.some(taken - self.inputs), taken))
        self.inputs += n
        self.rows += len(batch.mean)
        self._largest = max(self._largest, int(np.max(batch.per)))
        level = subsampling.halvings_needed(self.inputs, _max_inputs(batch.mean.shape[1], self._largest))
        if level > self._level:
            self._thin(level)

    def snapshot(self) -> Snapshot:
        """Return the statistics of the rows that are kept; `n` is their number."""
        first = self._held[0][0]
        rows, dimensions = sum(len(batch.mean) for batch, _ in self._held), first.mean.shape[1]
        stream = LatentStream(
            dimensions,
            window=max(512, -(-rows // 16) * 16),
            has_variance=first.variance is not None,
            prior=self.prior,
            resolution=self.resolution,
        )
        mantissa = min(batch.mantissa for batch, _ in self._held)
        for batch, _ in self._held:
            stream.update(batch.mean, batch.variance, batch.begins, mantissa)
        if self._scale is not None:
            stream.scale = self._scale(np.concatenate([batch.mean for batch, _ in self._held]), self._largest)
        snapshot = stream.snapshot(step=0)
        if self._histogram is None:
            return snapshot
        non_finite = self._non_finite.astype(np.float64)
        return replace(snapshot, rows=self.rows, non_finite=non_finite, histograms=self._histogram.draw())

    def _thin(self, level: int) -> None:
        if self._histogram is None:  # until now all rows were held
            self._histogram = WindowedHistogram(self._held[0][0].mean.shape[1], panes=1)
            for batch, _ in self._held:
                self._histogram.update_rows(batch.mean)
        held = []
        for batch, inputs in self._held:
            keep = np.flatnonzero(inputs == subsampling.row_of_block(inputs >> level, level))
            if keep.size:
                held.append((batch.some(keep), inputs[keep]))
        self._held, self._level = held, level


def _max_inputs(dimensions: int, rows_per_input: int) -> int:
    """Return the number of inputs whose rows fit the window of a stream."""
    rows: int = min(MAX_ROWS, max(512, WINDOW_BYTES // (4 * dimensions)) // 16 * 16)
    return max(rows // rows_per_input, 1)
