"""Rows that offline statistics are taken over: all of them, or an even choice if there are too many to hold.

One input of each block of 2, 4, 8 … inputs is kept (`arrays/subsampling`). The choice needs no random number and is the
same however the rows are split into chunks. Counts (rows, values that are not finite, the drawn histogram) are of all
rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import subsampling
from ..arrays.rows import F32
from ..statistics.snapshot import Snapshot
from ..statistics.stream import WINDOW_BYTES, LatentStream
from ..statistics.windowed_histogram import WindowedHistogram
from .batches import Batch

MAX_ROWS = 2**16
"""Rows that statistics are taken over; more than half as many remain if there are more."""


class Subset:
    """Reducer of batches to one snapshot."""

    def __init__(self, prior: tuple[Any, Any] | None, resolution: float | None = None) -> None:
        self.prior, self.resolution = prior, resolution
        self.inputs = 0
        self.rows = 0
        self._level = 0
        self._held: list[Batch] = []
        self._places: list[NDArray[np.int64]] = []
        self._histogram: WindowedHistogram | None = None
        self._non_finite: NDArray[np.int64] = np.zeros(1, np.int64)

    def add(self, batch: Batch) -> None:
        """Add the rows of a batch."""
        n = len(batch.mean) // batch.per
        finite = np.isfinite(batch.mean)
        if batch.variance is not None:
            finite &= np.isfinite(batch.variance)
        self._non_finite = self._non_finite + (len(finite) - finite.sum(axis=0))
        if self._histogram is not None:
            self._histogram.update_rows(batch.mean)
        taken = subsampling.kept_rows(self.inputs, self.inputs + n, self._level)
        if taken.size:
            self._held.append(_chosen(batch, taken - self.inputs))
            self._places.append(taken)
        self.inputs += n
        self.rows += len(batch.mean)
        level = subsampling.halvings_needed(self.inputs, _max_inputs(batch))
        if level > self._level:
            self._thin(level)

    def snapshot(self) -> Snapshot:
        """Return the statistics of the rows that are kept; `n` is their number."""
        batch = self._joined()
        window = max(512, -(-len(batch.mean) // 16) * 16)
        stream = LatentStream(
            batch.mean.shape[1],
            window=window,
            has_variance=batch.variance is not None,
            prior=self.prior,
            resolution=self.resolution,
        )
        stream.update(batch.mean, batch.variance, batch.per, batch.mantissa)
        snapshot = stream.snapshot(step=0)
        if self._histogram is None:
            return snapshot
        non_finite = self._non_finite.astype(np.float64)
        return replace(snapshot, rows=self.rows, non_finite=non_finite, histograms=self._histogram.draw())

    def _thin(self, level: int) -> None:
        batch, places = self._joined(), np.concatenate(self._places)
        if self._histogram is None:  # until now all rows were held
            self._histogram = WindowedHistogram(batch.mean.shape[1], panes=1)
            self._histogram.update_rows(batch.mean)
        keep = np.flatnonzero(places == subsampling.row_of_block(places >> level, level))
        self._held, self._places, self._level = [_chosen(batch, keep)], [places[keep]], level

    def _joined(self) -> Batch:
        held = self._held
        variances: list[F32] = [batch.variance for batch in held if batch.variance is not None]
        return held[0]._replace(
            mean=np.concatenate([batch.mean for batch in held]),
            variance=np.concatenate(variances) if variances else None,
            mantissa=min(batch.mantissa for batch in held),
        )


def _max_inputs(batch: Batch) -> int:
    """Return the number of inputs whose rows fit the window of a stream."""
    rows: int = min(MAX_ROWS, max(512, WINDOW_BYTES // (4 * batch.mean.shape[1])) // 16 * 16)
    return max(rows // batch.per, 1)


def _chosen(batch: Batch, inputs: NDArray[np.int64]) -> Batch:
    def rows(side: F32) -> F32:
        return side.reshape(-1, batch.per, side.shape[1])[inputs].reshape(-1, side.shape[1])

    variance = None if batch.variance is None else rows(batch.variance)
    return batch._replace(mean=rows(batch.mean), variance=variance)
