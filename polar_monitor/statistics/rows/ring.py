"""The window: a ring of the last rows, kept as (D, W), with the input and the step of each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import PolarMonitorError
from ...kernels.mixture import NO_ROWS
from ..array_types import F32

Integers = NDArray[np.int64]


class RowRing:
    """Means and variances (D, W) of the last W rows; `place` is that of the next one."""

    def __init__(self, dimensions: int, window: int, has_variance: bool) -> None:
        self.window = window
        self.mean: F32 = np.zeros((dimensions, window), np.float32)
        self.variance: F32 | None = np.ones_like(self.mean) if has_variance else None
        self.inputs: Integers = np.zeros(window, np.int64)
        self.steps: Integers = np.full(window, -1, np.int64)
        self.filled = self.place = 0

    @property
    def sides(self) -> tuple[F32, F32]:
        """Return means and variances as kernels take them."""
        return self.mean, NO_ROWS if self.variance is None else self.variance

    @property
    def oldest(self) -> int:
        """Return the place of the oldest row."""
        return self.place if self.filled == self.window else 0

    def advance(self, count: int) -> None:
        """Count rows that were written at `place` and after it."""
        self.place = (self.place + count) % self.window
        self.filled = min(self.filled + count, self.window)

    def clear(self) -> None:
        """Forget the rows."""
        self.filled = self.place = 0

    def add(self, mean: F32, variance: F32 | None, inputs: Integers, steps: Integers) -> None:
        """Add columns (D, n), with the inputs and steps (n,), as the newest rows."""
        places = (self.place + np.arange(len(inputs))[-self.window :]) % self.window
        self.mean[:, places] = mean[:, -self.window :]
        if self.variance is not None and variance is not None:
            self.variance[:, places] = variance[:, -self.window :]
        self.inputs[places] = inputs[-self.window :]
        self.steps[places] = steps[-self.window :]
        self.advance(len(inputs))

    def newest(self, rows: int) -> F32:
        """Return the newest rows (n, D), at most so many, that are finite in all dimensions."""
        places = np.arange(self.place - min(rows, self.filled), self.place) % self.window
        codes = self.mean[:, places].T
        return np.ascontiguousarray(codes[np.isfinite(codes).all(1)])

    def columns(self) -> tuple[F32, F32 | None, Integers]:
        """Return means, variances and inputs as (D, n), (D, n) and (n,), contiguous."""
        n = self.filled
        if n == self.window:
            return self.mean, self.variance, self.inputs
        mean = np.ascontiguousarray(self.mean[:, :n])
        return mean, None if self.variance is None else np.ascontiguousarray(self.variance[:, :n]), self.inputs[:n]

    def by_input(self, scattered: bool) -> tuple[F32, F32 | None, Integers]:
        """Return the window like `columns`, rows of one input side by side, which they are not if `scattered`."""
        mean, variance, inputs = self.columns()
        if not scattered:
            return mean, variance, inputs
        order = np.argsort(inputs, kind="stable")
        sides = [None if side is None else side.take(order, axis=1) for side in (mean, variance)]
        assert sides[0] is not None
        return sides[0], sides[1], inputs[order]

    def steps_by_input(self, scattered: bool) -> Integers:
        """Return the steps (n,) in the order of `by_input`."""
        steps = self.steps[: self.filled]
        return steps[np.argsort(self.inputs[: self.filled], kind="stable")] if scattered else steps

    def inputs_by_age(self) -> Integers:
        """Return the inputs (n,), that of the oldest row first."""
        inputs = self.inputs[: self.filled]
        return np.roll(inputs, -self.place) if self.filled == self.window else inputs

    def state_dict(self) -> dict[str, Any]:
        """Return the rows, for `from_state`."""
        mean, variance, inputs = self.columns()
        return {
            "window": self.window,
            "mean": mean.copy(),
            "variance": None if variance is None else variance.copy(),
            "input": inputs.copy(),
            "step": self.steps[: self.filled].copy(),
            "place": self.place,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], dimensions: int, window: int, has_variance: bool) -> RowRing:
        """Return the ring of a state. Raises PolarMonitorError for means of another shape."""
        mean = _single(state["mean"])
        if mean.ndim != 2 or mean.shape[0] != dimensions or mean.shape[1] > window:
            raise PolarMonitorError(f"state: expected means ({dimensions}, ≤ {window}), got {mean.shape}")
        ring, n = cls(dimensions, window, has_variance), mean.shape[1]
        ring.mean[:, :n] = mean
        if ring.variance is not None:
            ring.variance[:, :n] = _single(state["variance"])
        ring.inputs[:n] = np.asarray(state["input"], np.int64)
        ring.steps[:n] = np.asarray(state["step"], np.int64)
        ring.filled, ring.place = n, int(state["place"])
        return ring


def contiguous(rows: F32) -> F32:
    """Return rows (n, D) as the kernel that writes them into a ring reads them."""
    return rows if rows.flags.carray and rows.dtype == np.float32 else np.ascontiguousarray(rows, np.float32)


def _single(values: Any) -> F32:
    """Convert to float32. A number beyond its range becomes infinite, without a warning."""
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)
