"""Rows in units of a prior of each row: (μ − μp) / σp, and the spread beside it."""

from __future__ import annotations

import numpy as np

from ..arrays.layout import dimensions_of
from ..arrays.rows import Floats
from ..arrays.spread import UNITS
from ..errors import PolarMonitorError


def standardised(
    mean: Floats, kind: str | None, spread: Floats | None, prior: list[Floats]
) -> tuple[Floats, Floats | None]:
    """Return (μ − μp) / σp and the spread in units of the prior's, as `discovery.conditional_prior` does for tensors.

    NaN where the prior's variance is not positive and finite.
    """
    centre, variance = prior
    with np.errstate(all="ignore"):
        variance = np.where((variance > 0) & np.isfinite(variance), variance, np.float32("nan"))
        moved = (mean - centre) / np.sqrt(variance)
        return moved, None if kind is None else UNITS[kind].rescaled(spread, variance, np)


def matching_rows(mean: Floats, side: Floats, letters: str) -> Floats:
    """Return one side of a prior, a number or (D,), in a shape that goes with a latent with these axes."""
    if side.shape == ():
        return side.astype(mean.dtype)
    if side.shape == mean.shape:
        return side
    if side.shape != (dimensions_of(letters, mean.shape),):
        raise PolarMonitorError(f"prior: expected a number, (D,) or the shape of mean {mean.shape}, got {side.shape}")
    return side.reshape([-1 if letter == "d" else 1 for letter in letters])


def at_least_float32(array: Floats) -> Floats:
    """Return an array of float32 or float64, in which differences keep their digits."""
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)
