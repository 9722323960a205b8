"""Codes around the means of their steps, which a model that moves through the window does not blur."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...kernels.light.steps import around_steps
from ...kernels.mixture import NO_ROWS
from ..array_types import F32, Array
from ..work_space import WorkSpace
from .ring import RowRing

MIN_STEP_INPUTS = 16
"""Inputs of a step from which on its codes are taken around their mean."""


def codes_around_steps(
    ring: RowRing, mean: F32, group: NDArray[np.int32] | None, scattered: bool, work: WorkSpace, gain: Array | None
) -> F32:
    """Return codes (D, n) around the means of their steps, in the decoder's scale; with a variance the means.

    The mean, the variance and the movement of the dimensions go to `work.about`.
    """
    steps, place, size = ring.steps_by_input(scattered), 0 if scattered else ring.oldest, 1.0
    if group is not None:
        size = len(group) / (int(group[-1]) + 1)
    has_variance = ring.variance is not None
    out = NO_ROWS if has_variance else work.codes(ring.filled)
    gain = work.ones if gain is None else gain
    around_steps(mean, steps, place, math.ceil(MIN_STEP_INPUTS * size), size, gain, work.about, out)
    return mean if has_variance else out
