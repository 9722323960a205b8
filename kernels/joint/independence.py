"""Dimensions that belong together: the connected components of a pairwise test of independence.

Under independence the products of orthonormal functions of two ranks have mean 0 and variance 1, so n times the sum of
the squared means over DEGREE² pairs of Legendre polynomials is χ² with DEGREE² degrees of freedom (Neyman 1937;
Kallenberg & Ledwina 1999). It detects dependence without correlation, such as that of the two coordinates of a ring. It
does not detect dependence that no pair shows, such as that of a product of signs. Shape: x (d, n) float32, finite.
"""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

DEGREE = 4
"""Largest degree of the polynomials."""
Z_CORRELATION = 3.0
"""Standard errors, 1/√n, that a correlation in time must exceed."""
FALSE_POSITIVE = 1e-3
"""Probability that any pair of independent dimensions is taken for dependent."""


@lru_cache(maxsize=4)
def polynomials(n: int) -> F32:
    """Return the Legendre polynomials of degrees 1 to DEGREE at the ranks 1..n, normalised on [-1, 1], (DEGREE, n)."""
    u = (2 * np.arange(n) + 1) / n - 1
    values = [np.polynomial.legendre.Legendre.basis(p)(u) * math.sqrt(2 * p + 1) for p in range(1, DEGREE + 1)]
    return np.stack(values).astype(np.float32)


def dependence(ranks: NDArray[np.int32], rows: float | None = None) -> NDArray[np.float64]:
    """Return the χ² statistics (d, d) of 0-based ranks (d, n).

    `rows` is the number of independent rows that the rows are worth; None means n.
    """
    d, n = ranks.shape
    features = np.stack([np.take(p, ranks) for p in polynomials(n)], axis=1).reshape(d * DEGREE, n)
    means = features @ features.T / np.float32(n)
    squares = np.square(means, dtype=np.float64).reshape(d, DEGREE, d, DEGREE).sum(axis=(1, 3))
    return np.asarray(squares * (n if rows is None else rows))


def correlation_times(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Return the correlation times, in rows, of scores (d, n) in time order and of products of their dimensions.

    The first is the integrated correlation 1 + 2 Σ ρ(t), up to where ρ is not significant (Sokal 1997), the largest of
    all scores and squared scores. The second has ρ² in place of ρ, as the product of two such independent dimensions
    has. Both are 1 for independent rows.
    """
    series = np.concatenate([scores, scores * scores])
    series -= series.mean(axis=1, keepdims=True)
    n, least = series.shape[1], Z_CORRELATION / math.sqrt(series.shape[1])
    series /= np.maximum(np.sqrt(np.einsum("dn,dn->d", series, series)), 1e-30)[:, None]
    if np.einsum("dn,dn->d", series[:, 1:], series[:, :-1]).max() < least:
        return 1.0, 1.0
    power = np.square(np.abs(np.fft.rfft(series, 2 * n, axis=1)))
    rho = np.fft.irfft(power, 2 * n, axis=1)[:, 1 : n // 4]
    rho *= np.logical_and.accumulate(rho >= least, axis=1)
    return 1 + 2 * float(rho.sum(axis=1).max()), 1 + 2 * float(np.square(rho).sum(axis=1).max())


def critical(pairs: int) -> float:
    """Return the statistic that the largest of `pairs` independent ones exceeds with probability FALSE_POSITIVE.

    By the approximation of Wilson & Hilferty.
    """
    freedom = DEGREE * DEGREE
    spread = 2 / (9 * freedom)
    return float(
        freedom * (1 - spread + NormalDist().inv_cdf(1 - FALSE_POSITIVE / max(pairs, 1)) * math.sqrt(spread)) ** 3
    )


def blocks(ranks: NDArray[np.int32], rows: float | None = None) -> list[list[int]]:
    """Group the dimensions of ranks (d, n): every pair of dimensions of different groups passes for independent."""
    d = len(ranks)
    joined = dependence(ranks, rows) > critical(d * (d - 1) // 2)
    free, groups = set(range(d)), []
    while free:
        block, edge = set(), {min(free)}
        while edge:
            block |= edge
            edge = {int(j) for i in edge for j in np.flatnonzero(joined[i])} - block
        free -= block
        groups.append(sorted(block))
    return groups
