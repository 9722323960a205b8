"""Ledger of steps: at which optimiser step each row of a ring was recorded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class StepLedger:
    """Steps of rows that are counted from 0; it keeps the last `capacity`, as the ring does."""

    def __init__(self) -> None:
        self._steps: NDArray[np.int64] = np.empty(0, np.int64)
        self._end = 0
        """Number of rows noted."""

    def note(self, end: int, step: int, capacity: int) -> None:
        """Note that the rows up to `end` that are not yet noted are of `step`."""
        count, self._end = min(end - self._end, capacity), end
        if count <= 0:
            return
        if len(self._steps) != capacity:
            self._steps = np.empty(capacity, np.int64)
        start = (end - count) % capacity
        self._steps[start : start + count] = step
        if start + count > capacity:
            self._steps[: start + count - capacity] = step

    def clear(self) -> None:
        """Count rows from 0 again."""
        self._end = 0

    def steps(self, first: int, end: int) -> NDArray[np.int64]:
        """Return the steps of the rows from `first` to `end`, the last one noted."""
        steps = self._steps
        return steps[first:end].copy() if end <= len(steps) else np.roll(steps, -(first % len(steps)))[: end - first]
