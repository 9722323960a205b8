"""Ledger of a ring: at which optimiser step each row was recorded, and which input it belongs to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]


class StepLedger:
    """Steps and inputs of rows that are counted from 0; it keeps the last `capacity`."""

    def __init__(self) -> None:
        self._rows: I64 = np.empty((2, 0), np.int64)
        """Ring of the steps and of the inputs."""
        self._end = 0
        """Number of rows noted."""
        self._calls: list[tuple[int, int, int]] = []
        """Rows of each call since then, the rows of one of its inputs, and the number of its first input."""

    def call(self, rows: int, per_input: int, first: int) -> None:
        """Note a call of the open step: its rows, `per_input` consecutive ones of each input, `first` on."""
        self._calls.append((rows, per_input, first))

    def note(self, end: int, step: int, capacity: int) -> None:
        """Note that the rows up to `end` that are not yet noted, those of the calls, are of `step`."""
        count, self._end = min(end - self._end, capacity), end
        calls, self._calls = self._calls, []
        if count <= 0:
            return
        if self._rows.shape[1] != capacity:
            self._rows = np.empty((2, capacity), np.int64)
        start = (end - count) % capacity
        here = min(count, capacity - start)
        steps, inputs = self._rows
        steps[start : start + here] = steps[: count - here] = step
        numbers = inputs_of(calls)[-count:]
        inputs[start : start + here], inputs[: count - here] = numbers[:here], numbers[here:]

    def drop_calls(self) -> None:
        """Forget the calls of the open step: their rows are dropped."""
        self._calls.clear()

    def clear(self) -> None:
        """Count rows from 0 again."""
        self._end = 0

    def read(self, first: int, end: int) -> I64:
        """Return (2, n): the steps of the rows from `first` to `end`, the last one noted, and their inputs."""
        capacity = self._rows.shape[1]
        if end <= capacity:
            return self._rows[:, first:end].copy()
        return np.roll(self._rows, -(first % capacity), 1)[:, : end - first]


def inputs_of(calls: list[tuple[int, int, int]]) -> I64:
    """Return the number of the input of each row of these calls."""
    parts = []
    for rows, per_input, first in calls:
        if per_input == 1:
            parts.append(np.arange(first, first + rows, dtype=np.int64))
        else:
            parts.append(np.repeat(np.arange(first, first + rows // per_input, dtype=np.int64), per_input))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
