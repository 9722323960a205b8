"""Running count, mean and sum of squared deviations of every dimension, exact to float64 and mergeable.

Shapes: x (D, n) float32, rows of the stream in the last axis; count (D,) int64, mean and m2 (D,) float64, changed in
place. Only finite values are counted. The variance (ddof 0) is m2 / count. Zeros are the empty state, the identity of
`merge`. A block is reduced in two passes and joined by the pairwise formula of Chan, Golub & LeVeque 1983, which does
not cancel as the sum of squares does.
"""

import math

import numpy as np

from ._jit import helper, kernel


@helper
def _join(count, mean, m2, d, n, block_mean, block_m2):
    """Add n values of the given mean and squared deviations to dimension d."""
    if n == 0:
        return
    apart, share = block_mean - mean[d], n / (count[d] + n)
    m2[d] += block_m2 + apart * apart * share * count[d]
    mean[d] += apart * share
    count[d] += n


@kernel("void(int64[::1], float64[::1], float64[::1], float32[:, ::1])")
def update(count, mean, m2, x):
    """Add the rows of x (D, n) to the state."""
    for d in range(x.shape[0]):
        n, total = x.shape[1], 0.0
        for i in range(x.shape[1]):
            value = np.float64(x[d, i])
            if math.isfinite(value):
                total += value
            else:
                n -= 1
        if n == 0:
            continue
        centre, squares, rest = total / n, 0.0, 0.0
        for i in range(x.shape[1]):
            apart = np.float64(x[d, i]) - centre
            if math.isfinite(apart):
                squares += apart * apart
                rest += apart
        rest /= n  # what rounding left in the centre
        _join(count, mean, m2, d, n, centre + rest, squares - rest * rest * n)


@kernel("void(int64[::1], float64[::1], float64[::1], int64[::1], float64[::1], float64[::1])")
def merge(count, mean, m2, other_count, other_mean, other_m2):
    """Add another state to the first, as if its rows had been added."""
    for d in range(count.shape[0]):
        _join(count, mean, m2, d, other_count[d], other_mean[d], other_m2[d])
