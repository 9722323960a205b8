"""Variance of the mean of dependent rows, from the rows themselves.

Rows of a training window follow each other in time, and neighbours are correlated: the mean of n of them is less
certain than √(variance / n). Means of long blocks are independent (Flyvbjerg & Petersen 1989). The correlation of the
blocks shows which length is enough. Shapes: terms (D, n), centred, rows in the order of time; NaN for a row that is
left out of its dimension.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._jit import helper, kernel

F64 = NDArray[np.float64]

MIN_BLOCKS = 32
"""Smallest number of blocks: the variance of fewer is too uncertain."""
MAX_CORRELATION = 0.9
"""Largest correlation of neighbouring blocks that is corrected: beyond it there are too few rows."""
STUDENT = 1.21
"""(z² + 1) / 4 at z = 1.96: Student's quantile with ν degrees of freedom is about z (1 + STUDENT / ν) (Fisher 1926)."""

DEPENDENCE_BIAS = 3.5
"""Bias in nats, times the number of independent rows that n dependent ones are worth. From simulations of Gaussian
autoregressions: 2.8 to 3.4 (φ = 0.9 to 0.99, n = 1024 to 16,384) for the entropy, less for the information."""


@helper
def _level(blocks, m, out, join):
    """Put m, the sum of squares of blocks (m,) and that of the products of neighbours into out (3,).

    If `join`, pairs of blocks are joined in place. A turn takes four blocks, for eight sums that do not wait for each
    other.
    """
    s0 = s1 = s2 = s3 = p0 = p1 = p2 = p3 = 0.0
    turns = max(m - 1, 0) // 4
    for turn in range(turns):
        i = 4 * turn
        a, b, c, d, e = blocks[i], blocks[i + 1], blocks[i + 2], blocks[i + 3], blocks[i + 4]
        s0 += a * a
        s1 += b * b
        s2 += c * c
        s3 += d * d
        p0 += a * b
        p1 += b * c
        p2 += c * d
        p3 += d * e
        if join:
            blocks[2 * turn], blocks[2 * turn + 1] = a + b, c + d
    for i in range(4 * turns, m):
        s0 += blocks[i] * blocks[i]
        p0 += blocks[i] * blocks[i + 1] if i + 1 < m else 0.0
    for i in range(2 * turns, m // 2 if join else 0):
        blocks[i] = blocks[2 * i] + blocks[2 * i + 1]
    out[0], out[1], out[2] = m, (s0 + s1) + (s2 + s3), (p0 + p1) + (p2 + p3)


@kernel("void(float32[:, ::1], float64[::1], float64[:, :, ::1])")
def levels(terms, blocks, out):
    """Put the number of blocks, the sum of their squares and that of the products of neighbours into out (D, L, 3).

    Level l has blocks of 2^l rows; 0 for levels of fewer than MIN_BLOCKS, except the first. Work space: blocks (n,).
    """
    n = terms.shape[1]
    for d in range(terms.shape[0]):
        row, m, missing = terms[d], n, 0
        for i in range(n):
            blocks[i] = row[i]
            missing += row[i] != row[i]
        if missing > 0:
            m = 0
            for i in range(n):
                blocks[m] = row[i]
                m += row[i] == row[i]
        for level in range(out.shape[1]):
            if level > 0 and m < MIN_BLOCKS:
                out[d, level, 0] = out[d, level, 1] = out[d, level, 2] = 0.0
            else:
                _level(blocks, m, out[d, level], level + 1 < out.shape[1])
                m //= 2


def square(terms: NDArray[Any]) -> F64:
    """Return n times the variance of the mean of centred terms (D, n) of a stationary series.

    Blocks are doubled until neither their means nor those of blocks twice as long have a correlation with the next that
    exceeds its standard error. The remaining correlation ρ, corrected for bias (Kendall 1954), counts as that of an
    autoregression: a factor (1 + ρ) / (1 − ρ). Few independent blocks make Student's quantile wider than the normal
    one. The variance grows by this ratio, so that value ± 1.96 errors keeps its coverage.
    """
    dimensions, n = terms.shape
    sums = np.empty((dimensions, max((n // MIN_BLOCKS).bit_length(), 1), 3))
    levels(np.ascontiguousarray(terms, np.float32), np.empty(n), sums)
    counts, spread, besides = sums.transpose(2, 1, 0)
    correlation = besides / np.where(spread > 0, spread, 1.0)
    silent = (correlation * np.sqrt(counts) <= 1.0) | (counts == 0)
    last = np.ones((1, dimensions), bool)
    level = np.vstack((silent[:-1] & silent[1:], last)).argmax(axis=0)
    level = np.minimum(level, (counts > 0).sum(axis=0) - 1)
    chosen = level, np.arange(dimensions)
    blocks, rho = counts[chosen], correlation[chosen]
    with np.errstate(divide="ignore", invalid="ignore"):  # no rows: NaN
        rho = np.clip(rho + (1 + 3 * np.maximum(rho, 0.0)) / blocks, 0.0, MAX_CORRELATION)
        longer = (1 + rho) / (1 - rho)
        wider = 1 + STUDENT / np.maximum(blocks / longer - 1, 2.0)
        return np.asarray(spread[chosen] / counts[0] * blocks / np.maximum(blocks - 1, 1) * longer * wider**2)


def with_bias(error: F64, alone: F64, rows: Any) -> F64:
    """Return the error (D,) of `rows` in the order of time, with the bias of their slow movements added in squares.

    `alone`: the error of as many independent rows. Slow movements make the sample narrower than the law.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # no rows, or a constant: NaN
        bias = DEPENDENCE_BIAS * np.maximum((error / alone) ** 2 - 1.0, 0.0) / rows
    return np.asarray(np.hypot(error, np.where(alone > 0.0, bias, 0.0)))


@kernel("void(float32[:, ::1], int64[::1], float64[:, ::1])")
def cluster_sums(terms, starts, out):
    """Put the numbers of terms and of clusters, and the sum of squared sums over clusters, into out (3, D).

    starts (m + 1,): the first row of each cluster, and n.
    """
    for d in range(terms.shape[0]):
        count, clusters, square = 0, 0, 0.0
        for c in range(starts.shape[0] - 1):
            total, here = 0.0, 0
            for i in range(starts[c], starts[c + 1]):
                term = np.float64(terms[d, i])
                known = term == term
                total += term if known else 0.0
                here += known
            count, clusters, square = count + here, clusters + (here > 0), square + total * total
        out[0, d], out[1, d], out[2, d] = count, clusters, square


def cluster_square(terms: NDArray[Any], cluster: NDArray[np.int64]) -> F64:
    """Return n times the variance of the mean of centred terms (D, n), whose rows depend within clusters (n,)."""
    starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1], True])
    sums = np.empty((3, len(terms)))
    cluster_sums(np.ascontiguousarray(terms, np.float32), starts, sums)
    n, m, squares = sums
    return np.asarray(squares / np.maximum(n, 1) * (m / np.maximum(m - 1, 1)))
