"""Entropy of the dependence between dimensions (the copula), in nats, by k-th neighbours in d dimensions.

h(X) = Σ h(X_j) + h(copula). Scales differ by orders of magnitude in a polarised code, which misleads neighbours in the
raw space; the copula has none. Its entropy is estimated on the normal scores of the ranks, whitened (Kozachenko &
Leonenko 1987), and the estimate's own error on independent Gaussians of the same n and d is subtracted. Shape: x (d, n)
float32, finite, n below 2^16: time grows with n² where d is more than a few.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocking import cluster_square
from .neighbours.digamma import digamma
from .neighbours.knn_search import nearest

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

K = 4
"""Neighbours of a row."""
MIN_DRAWS = 4
"""Smallest number of Gaussian samples that give the estimate's own error if it is not tabulated."""
MIN_DRAWN_ROWS = 1 << 15
"""Smallest number of rows of all these samples."""
SINGULAR = 1e-6
"""Standard deviation of normal scores given the previous dimensions, below which they are a function of those."""
GAUSSIAN = 0.5 * math.log(2 * math.pi * math.e)
"""Entropy of a standard Gaussian."""
TABLE = (
    (0.08627, 0.10510, -0.07603),
    (-0.67540, -1.45939, 0.96366),
    (2.33803, 6.45587, -4.52681),
    (-4.03189, -10.48414, 9.29588),
    (-1.47482, 5.77875, -8.07831),
    (6.46197, -1.16171, 2.51528),
)
"""Coefficients of the estimate's own error for 2 ≤ d ≤ 32 and 2^10 ≤ n ≤ 2^15: the sum of
TABLE[i][j] (ln d / ln 32)^i ((log2 n − 12) / 3)^j.

Least squares of 4 to 96 samples for each d and n = 2^10, 2^11 … 2^15, by `python -m bench.joint --calibrate`.
"""

DRAWN: dict[int, tuple[float, ...]] = {
    256: (
        *(0.0202, -0.0291, -0.0425, -0.0338, 0.0017, 0.0561, 0.1270, 0.2103),
        *(0.3049, 0.4155, 0.5342, 0.6522, 0.7862, 0.9170, 1.0609),
    ),
    512: (
        *(0.0163, -0.0285, -0.0526, -0.0500, -0.0330, 0.0055, 0.0583, 0.1272),
        *(0.2067, 0.3014, 0.4076, 0.5149, 0.6306, 0.7560, 0.8896, 1.0258),
        *(1.1702, 1.3121, 1.4673, 1.6189, 1.7811, 1.9366, 2.1100, 2.2740),
        *(2.4456, 2.6146, 2.7987, 2.9660, 3.1536, 3.3281, 3.5126),
    ),
}
"""The estimate's own error for d = 2, 3, … by n: means of 400 samples or more, with errors below 0.005.

A monitor uses these numbers of rows. To draw the samples takes tens of milliseconds for each new d.
"""


@lru_cache(maxsize=16)
def scores_of(n: int) -> F64:
    """Return the normal scores of the ranks 1..n."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse((i + 0.5) / n) for i in range(n)])


@lru_cache(maxsize=16)
def _tie_order(d: int, n: int) -> I64:
    """Return a random order for tied values in each dimension: (draw, row) in the low 32 bits, (d, n)."""
    return np.random.default_rng(0).integers(0, 1 << 16, (d, n)) << 16 | np.arange(n)


def in_place(x: F32, values: NDArray[Any]) -> NDArray[Any]:
    """Assign the ascending values (n,) to the ranks in each dimension, (d, n). Each has its own order of ties."""
    bits = (x + np.float32(0.0)).view(np.int32)  # -0.0 becomes 0.0
    bits ^= (bits >> 31) & 0x7FFFFFFF  # integers in the order of the floats
    order = np.sort(bits.astype(np.int64) << 32 | _tie_order(*x.shape), axis=1) & 0xFFFF
    order += np.arange(0, x.size, x.shape[1])[:, None]
    placed = np.empty(x.size, values.dtype)
    placed[order] = values
    return placed.reshape(x.shape)


def normal(x: F32) -> F64:
    """Return the normal scores (d, n) of the ranks in each dimension."""
    return in_place(x, scores_of(x.shape[1]))


def functions(correlation: F64, least: Any = SINGULAR) -> list[int]:
    """List the dimensions of a correlation matrix (d, d) that are a linear function of the previous ones.

    A remaining standard deviation below `least`, a number or (d,), is allowed.
    """
    residual, limit = correlation.copy(), np.broadcast_to(np.square(least), len(correlation))
    dependent = []
    for j in range(len(residual)):
        if residual[j, j] < limit[j]:
            dependent.append(j)
        else:
            residual[j + 1 :] -= np.outer(residual[j + 1 :, j] / residual[j, j], residual[j])
    return dependent


def local_dimension(x: F32) -> float:
    """Estimate the number m of dimensions that the rows of x (d, n) fill locally.

    E log ε_K / ε_j = (ψ(K) − ψ(j)) / m: Levina & Bickel 2004, without the bias at small K.
    """
    squares = np.log(np.maximum(nearest(x, K), 1e-30), dtype=np.float64).mean(axis=1)
    return sum(digamma(K) - digamma(j) for j in range(1, K)) / max(0.5 * float((squares[-1] - squares).sum()), 1e-30)


def _terms(scores: F64) -> F64 | None:
    """Return terms whose mean estimates the entropy of scores (d, n) minus that of d Gaussians; None: no density."""
    d, n = scores.shape
    try:
        factor = np.linalg.cholesky(scores @ scores.T / n)
    except np.linalg.LinAlgError:
        return None
    if factor.diagonal().min() < SINGULAR:
        return None
    squares = nearest((np.linalg.inv(factor) @ scores).astype(np.float32), K)[-1]
    ball = 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d + 1)
    constant = digamma(n) - digamma(K) + ball + np.log(factor.diagonal()).sum() - d * GAUSSIAN
    return np.asarray(constant + 0.5 * d * np.log(np.maximum(squares, 1e-30), dtype=np.float64))


@lru_cache(maxsize=256)
def own_error(d: int, n: int) -> float:
    """Return the estimate for independent Gaussians, whose copula has entropy 0."""
    if 2 <= d <= 32 and 1 << 10 <= n <= 1 << 15:
        size = (math.log2(n) - 12) / 3
        return sum(
            coefficient * (math.log(d) / math.log(32)) ** i * size**j
            for i, row in enumerate(TABLE)
            for j, coefficient in enumerate(row)
        )
    if 0 <= d - 2 < len(DRAWN.get(n, ())):
        return DRAWN[n][d - 2]
    rng = np.random.default_rng(0)
    drawn = [
        _terms(normal(rng.standard_normal((d, n)).astype(np.float32)))
        for _ in range(max(MIN_DRAWS, MIN_DRAWN_ROWS // n))
    ]
    return float(np.mean([terms.mean() for terms in drawn if terms is not None]))


def scores_entropy(scores: F64, cluster: NDArray[Any] | None = None, apart: int = 1) -> tuple[float, float]:
    """Return `copula_entropy` of normal scores (d, n).

    Neighbours come from rows a multiple of `apart` away, because rows nearer in time are correlated.
    """
    d, n = scores.shape
    if n // apart < 2 * d + 8:
        return math.nan, math.nan
    if d == 1:
        return 0.0, 0.0
    terms = np.empty(n)
    for first in range(apart):
        part = _terms(scores[:, first::apart])
        if part is None:
            return math.nan, math.nan
        terms[first::apart] = part
    mean = terms.mean()
    terms -= mean
    square = terms @ terms / (n - 1) if cluster is None else cluster_square(terms[None], cluster)[0]
    return float(mean) - own_error(d, n // apart), math.sqrt(square / n)


def copula_entropy(x: F32, cluster: NDArray[Any] | None = None) -> tuple[float, float]:
    """Return the entropy of the copula of x (d, n) and its standard error.

    The true entropy is at most 0, and 0 for independent dimensions. Rows of one `cluster` (n,), ids side by side, are
    dependent. Strictly increasing maps of the dimensions change no bit of the result. NaN if the scores of a dimension
    are a linear function of others' (the copula has no density), and for fewer than 2d + 8 rows; (0, 0) for one
    dimension.
    """
    if x.shape[1] < 2 * len(x) + 8:
        return math.nan, math.nan
    return scores_entropy(normal(x), cluster)
