"""Variance of the mean of rows that are dependent, from the rows themselves.

Rows of a training window follow each other in time, and neighbours are alike: the mean of n of them is less certain
than √(variance / n). Means of blocks that are long enough are independent (Flyvbjerg & Petersen 1989), and how long
that is, their correlation tells. Shapes: terms (D, n), centred, rows in the order of time.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

LEAST_BLOCKS = 32
"""Blocks of fewer are not looked at: their variance would be too uncertain."""
LARGEST = 0.9
"""Correlation of neighbouring blocks above which no factor can mend what too few rows do not tell."""
STUDENT = 1.21
"""(z² + 1) / 4 at z = 1.96: Student's quantile with ν degrees of freedom is about z (1 + STUDENT / ν) (Fisher 1926)."""


def square(terms: NDArray[Any]) -> F64:
    """n times the variance of the mean of centred terms (D, n) of a stationary series.

    Blocks are doubled until their means, and those of blocks twice as long, have no correlation with the next that
    exceeds its own standard error. What is left of it, ρ, counts as that of an autoregression, (1 + ρ) / (1 − ρ), after
    its bias is taken off (Kendall 1954). The variance is made larger by what Student's quantile is wider than the
    normal one with so few independent blocks, so that value ± 1.96 errors covers all the same.
    """
    blocks, n, m = terms, terms.shape[1], terms.shape[1]
    spreads, besides, counts = [], [], [m]
    while True:
        spreads.append(np.matmul(blocks[:, None], blocks[:, :, None])[:, 0, 0])
        besides.append(np.matmul(blocks[:, None, 1:], blocks[:, :-1, None])[:, 0, 0])
        if m < 2 * LEAST_BLOCKS:
            break
        m //= 2
        counts.append(m)
        blocks = blocks[:, 0 : 2 * m : 2] + blocks[:, 1 : 2 * m : 2]
    spread = np.array(spreads, np.float64)
    correlation = np.array(besides, np.float64) / np.where(spread > 0, spread, 1.0)
    silent = correlation * np.sqrt(counts)[:, None] <= 1.0
    last = np.ones((1, terms.shape[0]), bool)
    level = np.vstack((silent[:-1] & silent[1:], last)).argmax(axis=0)
    chosen = level, np.arange(terms.shape[0])
    blocks_left, rho = np.array(counts, np.float64)[level], correlation[chosen]
    rho = np.clip(rho + (1 + 3 * np.maximum(rho, 0.0)) / blocks_left, 0.0, LARGEST)
    longer = (1 + rho) / (1 - rho)
    wider = 1 + STUDENT / np.maximum(blocks_left / longer - 1, 2.0)
    return np.asarray(spread[chosen] / n * blocks_left / np.maximum(blocks_left - 1, 1) * longer * wider**2)


def cluster_square(terms: NDArray[Any], cluster: NDArray[np.int64]) -> F64:
    """n times the variance of the mean of centred terms (D, n), whose rows are dependent within clusters (n,)."""
    starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
    sums = np.add.reduceat(terms, starts, axis=1).astype(np.float64)
    m = len(starts)
    return np.asarray((sums * sums).sum(axis=1) / terms.shape[1] * (m / max(m - 1, 1)))
