"""Newest rows of a stream, and their entropy by nearest neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import checked_count
from ..arrays.rows import MANTISSA, Rows, check_dimensions, chunks
from ..arrays.subsampling import GOLDEN_RATIO
from ..errors import PolarMonitorError
from ._estimate import Estimate
from ._nearest import knn_of


class SlidingWindow:
    """Newest W rows of a stream, by their stamps.

    A row is stamped with its number in its stream, or with `stamp`, such as the training step. The window is the W
    largest rows under the order of (stamp, hash of the row, its bytes), so it depends on the rows as a set: any split
    over streams and any order of merging keeps the same rows. Raises PolarMonitorError.

    Example:
        >>> window = SlidingWindow(1, rows=2)
        >>> window.update([[1.0], [2.0], [3.0]])
        >>> window.values().ravel().tolist()
        [2.0, 3.0]
    """

    def __init__(self, dimensions: int, rows: int = 4096) -> None:
        self.dimensions, self.rows = checked_count("dimensions", dimensions), checked_count("rows", rows)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.seen = 0
        self._values: list[NDArray[np.float64]] = [np.zeros((0, self.dimensions))]
        self._stamps: list[NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
        self._held = 0

    def update(self, x: Any, stamp: int | None = None) -> None:
        """Add rows (n, D), all with `stamp` if it is given. Raises PolarMonitorError for other shapes."""
        if stamp is not None:
            stamp = checked_count("stamp", stamp, -(2**63))
            if stamp >= 2**63:
                raise PolarMonitorError(f"stamp: expected a number below 2^63, got {stamp}")
        for chunk in chunks("x", x):
            rows = check_dimensions("x", chunk, self.dimensions)
            n = len(rows.values)
            stamps = np.full((n, 2), rows.mantissa, np.int64)
            stamps[:, 0] = self.seen + np.arange(n) if stamp is None else stamp
            self.seen += n
            self._add(rows.values, stamps)

    def merge(self, other: SlidingWindow) -> None:
        """Add the rows of another. Raises PolarMonitorError for other dimensions or another length."""
        if not isinstance(other, SlidingWindow):
            raise PolarMonitorError(f"merge: expected a SlidingWindow, got {type(other).__name__}")
        if (other.dimensions, other.rows) != (self.dimensions, self.rows):
            raise PolarMonitorError(
                f"merge: expected {self.dimensions} dimensions and {self.rows} rows, "
                f"got {other.dimensions} and {other.rows}"
            )
        self.seen += other.seen
        for values, stamps in list(zip(other._values, other._stamps, strict=True)):
            self._add(values, stamps)

    def values(self) -> NDArray[np.float64]:
        """Return the rows of the window, (n, D), oldest first."""
        self._settle()
        return self._values[0].copy()

    def snapshot(self) -> Estimate:
        """Estimate the differential entropy of the window; see `polar_monitor.entropy.knn`."""
        values = self.values()
        mantissa = int(self._stamps[0][:, 1].min(initial=MANTISSA["float64"]))
        return knn_of(Rows(values, mantissa, False, len(values)))

    def _add(self, values: NDArray[Any], stamps: NDArray[np.int64]) -> None:
        self._values.append(np.array(values, np.float64))
        self._stamps.append(stamps)
        self._held += len(stamps)
        if self._held >= 2 * self.rows + 1024:  # sorting the window for every block would be slow
            self._settle()

    def _settle(self) -> None:
        """Keep only the newest rows, in order. Rows of one stamp are in an arbitrary, fixed order."""
        values, stamps = np.concatenate(self._values), np.concatenate(self._stamps)
        bits = np.ascontiguousarray(values).view(np.uint64)
        mixed = np.zeros(len(bits), np.uint64)
        for column in bits.T:
            mixed = (mixed ^ column) * GOLDEN_RATIO
            mixed ^= mixed >> np.uint64(29)
        order = np.lexsort((stamps[:, 1], *bits.T[::-1], mixed, stamps[:, 0]))[-self.rows :]
        self._values, self._stamps, self._held = [values[order]], [stamps[order]], len(order)
