"""Ledger of a ring: at which optimiser step each row was recorded, and which rows begin an input."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Value = TypeVar("Value", bound=np.generic)


class StepLedger:
    """Steps of rows that are counted from 0, and the first row of each input; it keeps the last `capacity`."""

    def __init__(self) -> None:
        self._steps: NDArray[np.int64] = np.empty(0, np.int64)
        self._begins: Flags = np.empty(0, np.bool_)
        self._end = 0
        """Number of rows noted."""
        self._calls: list[tuple[int, int]] = []
        """Rows of each call since then, and the rows of one of its inputs."""
        self._several = False
        """True if some input has several rows."""

    def call(self, rows: int, per_input: int) -> None:
        """Note a call of the open step with so many rows, `per_input` consecutive ones of each input."""
        self._several |= per_input > 1
        self._calls.append((rows, per_input))

    def note(self, end: int, step: int, capacity: int) -> None:
        """Note that the rows up to `end` that are not yet noted, those of the calls, are of `step`."""
        count, self._end = min(end - self._end, capacity), end
        calls, self._calls = self._calls, []
        if count <= 0:
            return
        if len(self._steps) != capacity:
            self._steps, self._begins = np.empty(capacity, np.int64), np.ones(capacity, np.bool_)
        start = (end - count) % capacity
        here = min(count, capacity - start)
        self._steps[start : start + here] = self._steps[: count - here] = step
        if self._several:
            begins = begins_of(calls)[-count:]
            self._begins[start : start + here], self._begins[: count - here] = begins[:here], begins[here:]

    def drop_calls(self) -> None:
        """Forget the calls of the open step: their rows are dropped."""
        self._calls.clear()

    def clear(self) -> None:
        """Count rows from 0 again."""
        self._end, self._several = 0, any(per_input > 1 for _, per_input in self._calls)
        self._begins[:] = True

    def steps(self, first: int, end: int) -> NDArray[np.int64]:
        """Return the steps of the rows from `first` to `end`, the last one noted."""
        return _part(self._steps, first, end)

    def begins(self, first: int, end: int) -> Flags | None:
        """Return which of these rows begin an input; None if all do."""
        return _part(self._begins, first, end) if self._several else None


def begins_of(calls: list[tuple[int, int]]) -> Flags:
    """Return which rows of these calls begin an input."""
    return np.concatenate([np.arange(rows) % per_input == 0 for rows, per_input in calls])


def _part(ring: NDArray[Value], first: int, end: int) -> NDArray[Value]:
    return ring[first:end].copy() if end <= len(ring) else np.roll(ring, -(first % len(ring)))[: end - first]
