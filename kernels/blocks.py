"""Dimensions that belong together: the connected components of a pairwise test of independence.

Under independence the products of orthonormal functions of two ranks have mean 0 and variance 1, so n times the sum of
the squared means over DEGREE² pairs of Legendre polynomials is χ² with DEGREE² degrees of freedom (Neyman 1937;
Kallenberg & Ledwina 1999). It sees dependence without correlation, as of the two coordinates of a ring. It does not see
what pairs do not show, as of a product of signs. Shape: x (d, n) float32, finite.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

DEGREE = 4
FALSE = 1e-3
"""Probability that any pair of independent dimensions is taken for dependent."""


@lru_cache(maxsize=4)
def polynomials(n: int) -> F32:
    """Legendre polynomials of degrees 1 to DEGREE at the ranks 1..n, normalised on [-1, 1], (DEGREE, n)."""
    u = (2 * np.arange(n) + 1) / n - 1
    values = [np.polynomial.legendre.Legendre.basis(p)(u) * math.sqrt(2 * p + 1) for p in range(1, DEGREE + 1)]
    return np.stack(values).astype(np.float32)


def dependence(ranks: NDArray[np.int32], cluster: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """χ² statistics (d, d) of ranks (d, n), 0-based; rows of one `cluster` (n,), ids side by side, count as one."""
    d, n = ranks.shape
    features = np.stack([np.take(p, ranks) for p in polynomials(n)], axis=1).reshape(d * DEGREE, n)
    means = features @ features.T / np.float32(n)
    squares = np.square(means, dtype=np.float64).reshape(d, DEGREE, d, DEGREE).sum(axis=(1, 3))
    rows = n if cluster is None else 1 + np.count_nonzero(cluster[1:] != cluster[:-1])
    return np.asarray(squares * rows)


def critical(pairs: int) -> float:
    """The statistic that the greatest of so many independent pairs passes with probability FALSE; Wilson & Hilferty."""
    freedom = DEGREE * DEGREE
    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + NormalDist().inv_cdf(1 - FALSE / max(pairs, 1)) * math.sqrt(spread)) ** 3)


def blocks(ranks: NDArray[np.int32], cluster: NDArray[Any] | None = None) -> list[list[int]]:
    """The dimensions of ranks (d, n), grouped: dimensions of different groups pass for independent in every pair."""
    d = len(ranks)
    joined = dependence(ranks, cluster) > critical(d * (d - 1) // 2)
    free, found = set(range(d)), []
    while free:
        block, edge = set(), {min(free)}
        while edge:
            block |= edge
            edge = {int(j) for i in edge for j in np.flatnonzero(joined[i])} - block
        free -= block
        found.append(sorted(block))
    return found
