"""Noise scale τ at which a mean representation without a variance is resolved."""

from __future__ import annotations

import math

import numpy as np

from .snapshot import Array, Snapshot

RESOLUTION = 0.1
"""τ divided by the median standard deviation of the widest dimensions."""
WIDEST_DIMENSIONS = 3
"""Number of the widest dimensions that set the scale."""


def relative(variance: Array) -> float:
    """Return τ of mean-only latents: a tenth of the median standard deviation of the three widest dimensions."""
    scales = np.sort(np.sqrt(variance[np.isfinite(variance)]))[-WIDEST_DIMENSIONS:]
    middle = 0.5 * (scales[(len(scales) - 1) // 2] + scales[len(scales) // 2]) if scales.size else 0.0
    tau = RESOLUTION * float(middle)
    return tau if tau > 0 else 1.0


def is_relative(s: Snapshot) -> bool:
    """Return True if `relative` gave the scale, so that labels only compare the dimensions with each other.

    The variances of a snapshot have fewer digits than those that gave the scale.
    """
    return not s.has_variance and math.isclose(s.resolution, relative(s.variance), rel_tol=2.0**-14)
