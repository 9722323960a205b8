"""The rows that offline statistics rest on: all of them, or an even choice where there are too many to hold.

One input of each block of 2, 4, 8 … inputs is kept (`thinning`): no random number, and the same choice however the rows
are split into chunks. What is counted (rows, values that are not finite, the histogram that is drawn) is of all rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import subsampling
from ..arrays.rows import F32
from ..statistics.snapshot import Histogram, Snapshot
from ..statistics.stream import WINDOW_BYTES, LatentStream
from ..statistics.windowed_histogram import WindowedHistogram
from .batches import Batch

MOST = 2**16
"""Most rows that statistics are taken over; more than half of it are, where there are more."""


class Subset:
    """Batches in, one snapshot out."""

    def __init__(self, prior: tuple[Any, Any] | None, resolution: float | None = None) -> None:
        self.prior, self.resolution = prior, resolution
        self.inputs = 0
        self.rows = 0
        self._level = 0
        self._held: list[Batch] = []
        self._places: list[NDArray[np.int64]] = []
        self._panes: WindowedHistogram | None = None
        self._non_finite: NDArray[np.int64] = np.zeros(1, np.int64)

    def add(self, batch: Batch) -> None:
        """Take the rows of a batch in."""
        n = len(batch.mean) // batch.per
        fine = np.isfinite(batch.mean)
        if batch.variance is not None:
            fine &= np.isfinite(batch.variance)
        self._non_finite = self._non_finite + (len(fine) - fine.sum(axis=0))
        if self._panes is not None:
            self._panes.update_rows(batch.mean)
        taken = subsampling.kept_rows(self.inputs, self.inputs + n, self._level)
        if taken.size:
            self._held.append(_chosen(batch, taken - self.inputs))
            self._places.append(taken)
        self.inputs += n
        self.rows += len(batch.mean)
        level = subsampling.halvings_needed(self.inputs, _most(batch))
        if level > self._level:
            self._thin(level)

    def snapshot(self) -> Snapshot:
        """The statistics of what is kept; `n` says how many rows that are."""
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
        if self._panes is None:
            return snapshot
        drawn = tuple(Histogram(*one) for one in self._panes.draw())
        return replace(snapshot, rows=self.rows, non_finite=self._non_finite.astype(np.float64), histograms=drawn)

    def _thin(self, level: int) -> None:
        batch, places = self._joined(), np.concatenate(self._places)
        if self._panes is None:  # until now all rows were held
            self._panes = WindowedHistogram(batch.mean.shape[1], panes=1)
            self._panes.update_rows(batch.mean)
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


def _most(batch: Batch) -> int:
    """Inputs whose rows fit the window of a stream."""
    rows: int = min(MOST, max(512, WINDOW_BYTES // (4 * batch.mean.shape[1])) // 16 * 16)
    return max(rows // batch.per, 1)


def _chosen(batch: Batch, inputs: NDArray[np.int64]) -> Batch:
    def rows(side: F32) -> F32:
        return side.reshape(-1, batch.per, side.shape[1])[inputs].reshape(-1, side.shape[1])

    variance = None if batch.variance is None else rows(batch.variance)
    return batch._replace(mean=rows(batch.mean), variance=variance)
