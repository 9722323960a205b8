"""Rows that coincide with one probe, counted row by row."""

import math

import numpy as np

from polar_monitor.kernels.repeats import MAX_DIMENSIONS, MIN_PROBES, SCALES


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


def share(counts):
    """The share of different inputs that the counts (probes, 5) prove, as the head of `repeats` explains it."""
    counts = counts[counts[:, 0] > 0]
    if len(counts) < MIN_PROBES:
        return 1.0
    several = counts[:, 0] > 1
    enough = several.sum() >= MIN_PROBES
    seen = counts[several, 1:] if enough else counts[:, 1:]
    shares = [1.0]
    for k in range(len(SCALES) - 1):
        by_chance = (seen[:, k] - seen[:, k + 1]) / 3.0 if SCALES[k + 1] > 0 else np.zeros(len(seen))
        different = 1.0 / np.maximum(seen[:, k + 1] - by_chance, 1.0)
        few = by_chance.sum() <= 0.1 * seen[:, k + 1].sum() and (enough or k > 0)
        if few and different.mean() + 2.0 * different.std() / math.sqrt(len(different)) < 1.0:
            shares.append(different.mean())
    return min(shares)
