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


@helper
def _finite(value, centre):
    """value - centre in float64; 0 where that is not finite."""
    apart = np.float64(value) - centre
    return apart if abs(apart) < math.inf else 0.0


@helper
def _total(x, centre):
    """Sum of x (n,) less a centre, and of the squares; in four parts, so that no addition waits for the last."""
    n = x.shape[0]
    s0 = s1 = s2 = s3 = q0 = q1 = q2 = q3 = 0.0
    for i in range(0, n - 3, 4):
        a, b = _finite(x[i], centre), _finite(x[i + 1], centre)
        c, d = _finite(x[i + 2], centre), _finite(x[i + 3], centre)
        s0 += a
        s1 += b
        s2 += c
        s3 += d
        q0 += a * a
        q1 += b * b
        q2 += c * c
        q3 += d * d
    for i in range(n - n % 4, n):
        a = _finite(x[i], centre)
        s0 += a
        q0 += a * a
    return (s0 + s1) + (s2 + s3), (q0 + q1) + (q2 + q3)


@helper
def _moments(x):
    """How many values of x (n,) are finite, their mean and the sum of their squared deviations."""
    n = 0
    for i in range(x.shape[0]):
        n += 1 if math.isfinite(x[i]) else 0
    if n == 0:
        return 0, 0.0, 0.0
    centre = _total(x, 0.0)[0] / n
    rest, squares = _total(x, centre)
    rest /= n  # what rounding left in the centre
    return n, centre + rest, squares - rest * rest * n


@kernel("void(int64[::1], float64[::1], float64[::1], float32[:, ::1])")
def update(count, mean, m2, x):
    """Add the rows of x (D, n) to the state."""
    for d in range(x.shape[0]):
        n, block_mean, block_m2 = _moments(x[d])
        _join(count, mean, m2, d, n, block_mean, block_m2)


@kernel("void(float32[:, ::1], float64[::1])")
def standardise(x, variance):
    """Give every dimension of x (D, n), in place, mean 0 and length 1; variance (D,) is that before, ddof 0.

    A value that is not finite counts as the mean. A dimension that does not vary becomes 0, with variance 0.
    """
    for d in range(x.shape[0]):
        row, varies, seen = x[d], False, np.float32(math.nan)
        for i in range(row.shape[0]):
            if math.isfinite(row[i]):
                if math.isnan(seen):
                    seen = row[i]
                if row[i] != seen:
                    varies = True
                    break
        if not varies:
            row[:] = np.float32(0.0)
            variance[d] = 0.0
            continue
        n, centre, squares = _moments(row)
        scale = 1.0 / math.sqrt(squares)
        for i in range(row.shape[0]):
            row[i] = np.float32(_finite(row[i], centre) * scale)
        variance[d] = squares / n


@kernel("void(int64[::1], float64[::1], float64[::1], int64[::1], float64[::1], float64[::1])")
def merge(count, mean, m2, other_count, other_mean, other_m2):
    """Add another state to the first, as if its rows had been added."""
    for d in range(count.shape[0]):
        _join(count, mean, m2, d, other_count[d], other_mean[d], other_m2[d])
