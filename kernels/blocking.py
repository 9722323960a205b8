"""Variance of the mean of dependent rows, from the rows themselves.

Rows of a training window follow each other in time, and neighbours are correlated: the mean of n of them is less
certain than √(variance / n). Means of long blocks are independent (Flyvbjerg & Petersen 1989). The correlation of the
blocks shows which length is enough. Shapes: terms (D, n), centred, rows in the order of time.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

MIN_BLOCKS = 32
"""Smallest number of blocks: the variance of fewer is too uncertain."""
MAX_CORRELATION = 0.9
"""Largest correlation of neighbouring blocks that is corrected: beyond it there are too few rows."""
STUDENT = 1.21
"""(z² + 1) / 4 at z = 1.96: Student's quantile with ν degrees of freedom is about z (1 + STUDENT / ν) (Fisher 1926)."""


def square(terms: NDArray[Any]) -> F64:
    """Return n times the variance of the mean of centred terms (D, n) of a stationary series.

    Blocks are doubled until neither their means nor those of blocks twice as long have a correlation with the next that
    exceeds its standard error. The remaining correlation ρ, corrected for bias (Kendall 1954), counts as that of an
    autoregression: a factor (1 + ρ) / (1 − ρ). Few independent blocks make Student's quantile wider than the normal
    one. The variance grows by this ratio, so that value ± 1.96 errors keeps its coverage.
    """
    blocks, n, m = terms, terms.shape[1], terms.shape[1]
    spreads, besides, counts = [], [], [m]
    while True:
        spreads.append(np.matmul(blocks[:, None], blocks[:, :, None])[:, 0, 0])
        besides.append(np.matmul(blocks[:, None, 1:], blocks[:, :-1, None])[:, 0, 0])
        if m < 2 * MIN_BLOCKS:
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
    rho = np.clip(rho + (1 + 3 * np.maximum(rho, 0.0)) / blocks_left, 0.0, MAX_CORRELATION)
    longer = (1 + rho) / (1 - rho)
    wider = 1 + STUDENT / np.maximum(blocks_left / longer - 1, 2.0)
    return np.asarray(spread[chosen] / n * blocks_left / np.maximum(blocks_left - 1, 1) * longer * wider**2)


def cluster_square(terms: NDArray[Any], cluster: NDArray[np.int64]) -> F64:
    """Return n times the variance of the mean of centred terms (D, n), whose rows depend within clusters (n,)."""
    starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
    sums = np.add.reduceat(terms, starts, axis=1).astype(np.float64)
    m = len(starts)
    return np.asarray((sums * sums).sum(axis=1) / terms.shape[1] * (m / max(m - 1, 1)))
