"""The last rows of a stream, and their entropy by nearest neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PolarMonitorError
from ..rows import Rows, chunks, sized
from ._estimate import Estimate
from ._nearest import knn_of


class SlidingWindow:
    """The W newest rows of a stream, by their stamps.

    A row is stamped with its number in its stream, or with `stamp`, such as the training step. The window is the W
    largest rows under the order of (stamp, bytes of the row), so it depends on the rows as a set: any split over
    streams and any order of merging keeps the same rows.

    Example:
        >>> window = SlidingWindow(1, rows=2)
        >>> window.update([[1.0], [2.0], [3.0]])
        >>> window.values().ravel().tolist()
        [2.0, 3.0]
    """

    def __init__(self, dimensions: int, rows: int = 4096) -> None:
        if dimensions < 1 or rows < 1:
            raise PolarMonitorError(f"dimensions, rows: expected 1 or more, got {dimensions}, {rows}")
        self.dimensions, self.rows = dimensions, rows
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.seen = 0
        self._values: list[NDArray[Any]] = []
        self._stamps: list[NDArray[np.int64]] = []
        self._held = 0
        self._mantissa = 52

    def update(self, x: Any, stamp: int | None = None) -> None:
        """Add rows (n, D), all of one stamp if it is given. Raises PolarMonitorError for other shapes."""
        for chunk in chunks("x", x):
            rows = sized("x", chunk, self.dimensions)
            n = len(rows.values)
            stamps = self.seen + np.arange(n) if stamp is None else np.full(n, stamp)
            self.seen += n
            self._mantissa = min(self._mantissa, rows.mantissa)
            self._add(rows.values, stamps)

    def merge(self, other: SlidingWindow) -> None:
        """Add the rows of another. Raises PolarMonitorError for other dimensions or another length."""
        if (other.dimensions, other.rows) != (self.dimensions, self.rows):
            raise PolarMonitorError(
                f"merge: expected {self.dimensions} dimensions and {self.rows} rows, "
                f"got {other.dimensions} and {other.rows}"
            )
        self.seen += other.seen
        self._mantissa = min(self._mantissa, other._mantissa)
        for values, stamps in zip(other._values, other._stamps, strict=True):
            self._add(values, stamps)

    def values(self) -> NDArray[Any]:
        """The rows of the window, (n, D), oldest first."""
        self._settle()
        return self._values[0].copy() if self._values else np.zeros((0, self.dimensions))

    def snapshot(self) -> Estimate:
        """Differential entropy of the window, see `polar_monitor.entropy.knn`."""
        values = self.values()
        return knn_of(Rows(values, self._mantissa, False, len(values), 1))

    def _add(self, values: NDArray[Any], stamps: NDArray[np.int64]) -> None:
        self._values.append(np.array(values, np.float64))
        self._stamps.append(stamps.astype(np.int64))
        self._held += len(stamps)
        if self._held >= 2 * self.rows + 1024:  # else every block would pay for sorting the window
            self._settle()

    def _settle(self) -> None:
        """Keep the newest rows only, in their order."""
        if not self._values:
            return
        values, stamps = np.concatenate(self._values), np.concatenate(self._stamps)
        bits = np.ascontiguousarray(values).view(np.int64).T
        order = np.lexsort((*bits[::-1], stamps))[-self.rows :]
        self._values, self._stamps, self._held = [values[order]], [stamps[order]], len(order)
