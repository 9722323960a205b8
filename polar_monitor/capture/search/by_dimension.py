"""Residuals of a reading by dimension, over several steps.

A floor below σ, or a soft clamp, changes few dimensions, and those little: all residuals together do not show it.
"""

from __future__ import annotations

import numpy as np

from ...discovery.evidence.noise import TOLERANCE
from ...discovery.evidence.tally import F64

MAX_DEVIATION = 6.0
"""Standard errors that the residual variance of a dimension may be away from 1."""
MIN_NUMBERS = 256
"""Numbers of a dimension that a decision needs."""


class ByDimension:
    """Sums of squared residuals along the axes that may hold the dimensions: the second, and the last."""

    def __init__(self, is_laplace: bool) -> None:
        self._excess = 5.0 if is_laplace else 2.0
        self._sums: dict[int, F64] = {}
        self._numbers: dict[int, int] = {}
        self.steps = 0

    def add(self, squares: F64 | None) -> None:
        """Take the squared residuals of one step, in the shape of the mean."""
        self.steps += 1
        if squares is None or squares.ndim < 2:
            return
        for axis in {1, squares.ndim - 1}:
            sums = np.moveaxis(squares, axis, 0).reshape(squares.shape[axis], -1)
            if axis in self._sums and len(self._sums[axis]) != len(sums):
                self._sums.clear()  # a size that varies is none of the dimensions
                self._numbers.clear()
                return
            self._sums[axis] = self._sums.get(axis, 0.0) + sums.sum(1)
            self._numbers[axis] = self._numbers.get(axis, 0) + sums.shape[1]

    @property
    def words(self) -> str:
        """Words for what does not fit; '' if all dimensions do."""
        for axis, sums in self._sums.items():
            count = self._numbers[axis]
            if count < MIN_NUMBERS:
                continue
            error = (self._excess / count) ** 0.5
            variance = sums / count
            off = np.maximum(np.abs(variance - 1) - TOLERANCE, 0) / error
            if off.max() > MAX_DEVIATION:
                worst = int(off.argmax())
                return f"residual variance {variance[worst]:.3g} ± {error:.2g} instead of 1 in dimension {worst}"
        return ""
