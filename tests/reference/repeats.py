"""Rows that coincide with one probe, counted row by row."""

import math

import numpy as np

from polar_monitor.kernels.repeats import MAX_DIMENSIONS, SCALES


def slow(mean, variance, group, tau, largest, which, probe):
    """The number of dimensions looked at, and that of the rows that coincide at each of the scales."""
    square = (lambda d, i: float(variance[d, i])) if variance is not None else lambda d, i: tau * tau
    looked = [d for d in which if square(d, probe) <= largest[d] and math.isfinite(mean[d, probe])][:MAX_DIMENSIONS]
    counts = [len(looked)]
    for scale in SCALES:
        here = 0
        for i in range(mean.shape[1]):
            other = i == probe or not len(group) or group[i] != group[probe]
            here += other and all(coincides(mean, square, d, i, probe, np.float32(scale)) for d in looked)
        counts.append(max(here, 1))
    return counts


def coincides(mean, square, d, i, probe, scale):
    s2, other = square(d, probe), square(d, i)
    distance = np.float32(abs(mean[d, i] - mean[d, probe])) * np.float32(1 / math.sqrt(s2))
    with np.errstate(invalid="ignore"):
        width = np.float32(abs(np.float32(other) - np.float32(s2))) * np.float32(1 / s2)
    return bool(distance <= scale and width <= scale)
