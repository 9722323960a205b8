"""Ledger of a ring: at which optimiser step each row was recorded, and which input it belongs to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]


class StepLedger:
    """Steps and inputs of rows that are counted from 0; it keeps the last `capacity`."""

    def __init__(self) -> None:
        self._steps: I64 = np.empty(0, np.int64)
        self._inputs: I64 = np.empty(0, np.int64)
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
        if len(self._steps) != capacity:
            self._steps, self._inputs = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
        start = (end - count) % capacity
        here = min(count, capacity - start)
        self._steps[start : start + here] = self._steps[: count - here] = step
        inputs = inputs_of(calls)[-count:]
        self._inputs[start : start + here], self._inputs[: count - here] = inputs[:here], inputs[here:]

    def drop_calls(self) -> None:
        """Forget the calls of the open step: their rows are dropped."""
        self._calls.clear()

    def clear(self) -> None:
        """Count rows from 0 again."""
        self._end = 0

    def steps(self, first: int, end: int) -> I64:
        """Return the steps of the rows from `first` to `end`, the last one noted."""
        return _part(self._steps, first, end)

    def inputs(self, first: int, end: int) -> I64:
        """Return the numbers of the inputs of these rows."""
        return _part(self._inputs, first, end)


def inputs_of(calls: list[tuple[int, int, int]]) -> I64:
    """Return the number of the input of each row of these calls."""
    parts = []
    for rows, per_input, first in calls:
        numbers = np.arange(rows, dtype=np.int64)
        parts.append((numbers if per_input == 1 else numbers // per_input) + first)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _part(ring: I64, first: int, end: int) -> I64:
    return ring[first:end].copy() if end <= len(ring) else np.roll(ring, -(first % len(ring)))[: end - first]
