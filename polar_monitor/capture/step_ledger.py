"""Ledger of steps: at which optimiser step each row was recorded, as one entry a step and not one a row."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray


class StepLedger:
    """Steps of rows that are counted from 0, in the order in which they are recorded."""

    def __init__(self) -> None:
        self._ends: deque[int] = deque()
        """Number of rows recorded up to the end of each step that gave rows."""
        self._steps: deque[int] = deque()

    def note(self, end: int, step: int, capacity: int) -> None:
        """Note that rows up to `end` are there after `step`, and forget steps before the last `capacity` rows."""
        ends = self._ends
        if end == (ends[-1] if ends else 0):
            return
        ends.append(end)
        self._steps.append(step)
        while ends[0] <= end - capacity:
            ends.popleft()
            self._steps.popleft()

    def clear(self) -> None:
        """Count rows from 0 again."""
        self._ends.clear()
        self._steps.clear()

    def steps(self, first: int, end: int) -> NDArray[np.int64]:
        """Return the steps of rows `first` to `end`, which are the last ones noted."""
        ends = [max(later, first) for later in self._ends]
        counts = [later - earlier for earlier, later in zip([first, *ends[:-1]], ends, strict=True)]
        assert ends[-1] == end
        return np.repeat(np.array(self._steps, np.int64), counts)
