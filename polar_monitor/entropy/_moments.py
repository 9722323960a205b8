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
    """Moments of the finite rows of each dimension, (D,); NaN where there is none."""

    rows: NDArray[np.int64]
    mean: Array
    variance: Array
    """ddof 0."""

    @property
    def entropy_upper(self) -> Array:
        """½ log 2πeV, float64 (D,), in nats: no distribution of this variance has a larger differential entropy."""
        with np.errstate(divide="ignore"):
            return np.asarray(0.5 * np.log(2 * np.pi * np.e * self.variance))


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
        """Add rows (n, D); values that are not finite are left out. Raises PolarMonitorError for other shapes."""
        for chunk in chunks("x", x):
            rows = check_dimensions("x", chunk, self.dimensions).values.astype(np.float64)
            fine = np.isfinite(rows)
            count = fine.sum(axis=0)
            share = 1.0 / np.maximum(count, 1)
            rows[~fine] = 0.0
            mean = rows.sum(axis=0) * share
            apart = np.where(fine, rows - mean, 0.0)
            rest = apart.sum(axis=0) * share  # what rounding left in the mean
            moments.merge(*self._state, count, mean + rest, (apart * apart).sum(axis=0) - rest * rest * count)

    def merge(self, other: OnlineMoments) -> None:
        """Add the rows of another. Raises PolarMonitorError for other dimensions."""
        if not isinstance(other, OnlineMoments):
            raise PolarMonitorError(f"merge: expected OnlineMoments, got {type(other).__name__}")
        if other.dimensions != self.dimensions:
            raise PolarMonitorError(f"merge: expected {self.dimensions} dimensions, got {other.dimensions}")
        moments.merge(*self._state, *other._state)

    def snapshot(self) -> Moments:
        """The moments of all rows so far."""
        count, mean, squares = self._state
        some = count > 0
        variance = squares / np.maximum(count, 1)
        return Moments(count.copy(), np.where(some, mean, np.nan), np.where(some, variance, np.nan))
