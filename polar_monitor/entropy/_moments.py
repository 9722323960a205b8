"""Running mean and variance of every dimension."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._validation import checked_count
from ..arrays.rows import check_dimensions, chunks
from ..errors import PolarMonitorError
from ..kernels import moments

Array = NDArray[np.float64]


class Moments(NamedTuple):
    """Moments of the finite rows of each dimension, (D,); NaN without any."""

    rows: NDArray[np.int64]
    mean: Array
    variance: Array
    """Variance with ddof 0."""


class OnlineMoments:
    """Count, mean and variance in one pass, without cancellation (Chan, Golub & LeVeque 1983).

    Example:
        >>> moments = OnlineMoments(2)
        >>> moments.update([[1.0, 5.0], [3.0, 5.0]])
        >>> moments.snapshot().variance.tolist()
        [1.0, 0.0]
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = checked_count("dimensions", dimensions)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._state = np.zeros(self.dimensions, np.int64), np.zeros(self.dimensions), np.zeros(self.dimensions)

    def update(self, x: Any) -> None:
        """Add rows (n, D); non-finite values are left out. Raises PolarMonitorError for other shapes."""
        for chunk in chunks("x", x):
            rows = check_dimensions("x", chunk, self.dimensions).values.astype(np.float64)
            finite = np.isfinite(rows)
            count = finite.sum(axis=0)
            share = 1.0 / np.maximum(count, 1)
            rows[~finite] = 0.0
            mean = rows.sum(axis=0) * share
            apart = np.where(finite, rows - mean, 0.0)
            correction = apart.sum(axis=0) * share  # rounding error of the mean
            moments.merge(
                *self._state, count, mean + correction, (apart * apart).sum(axis=0) - correction * correction * count
            )

    def merge(self, other: OnlineMoments) -> None:
        """Add the rows of another. Raises PolarMonitorError for other dimensions."""
        if not isinstance(other, OnlineMoments):
            raise PolarMonitorError(f"merge: expected OnlineMoments, got {type(other).__name__}")
        if other.dimensions != self.dimensions:
            raise PolarMonitorError(f"merge: expected {self.dimensions} dimensions, got {other.dimensions}")
        moments.merge(*self._state, *other._state)

    def snapshot(self) -> Moments:
        """Return the moments of all rows so far."""
        count, mean, squares = self._state
        some = count > 0
        variance = squares / np.maximum(count, 1)
        return Moments(count.copy(), np.where(some, mean, np.nan), np.where(some, variance, np.nan))
