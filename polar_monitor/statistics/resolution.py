"""The scale at which a mean representation without a variance is resolved."""

from __future__ import annotations

import numpy as np

from .snapshot import Array, Snapshot

RESOLUTION = 0.1
"""Unless a unit is given, the mean is resolved at this share of the scale of the widest dimensions."""
WIDEST = 3


def relative(variance: Array) -> float:
    """τ of mean-only latents: a tenth of the median standard deviation of the three widest dimensions."""
    scales = np.sort(np.sqrt(variance[np.isfinite(variance)]))[-WIDEST:]
    tau = RESOLUTION * float(np.median(scales)) if scales.size else 0.0
    return tau if tau > 0 else 1.0


def is_relative(s: Snapshot) -> bool:
    """Whether the labels of a snapshot compare its dimensions with each other, and with no unit from outside."""
    return not s.has_variance and s.resolution == relative(s.variance)
