"""Entropy of the dependence between dimensions (the copula), in nats, by k-th neighbours in d dimensions.

h(X) = Σ h(X_j) + h(copula). Scales differ by orders of magnitude in a polarised code, which misleads neighbours in the
raw space; the copula has none. Its entropy is estimated on the normal scores of the ranks, whitened, and the estimate's
own error on independent Gaussians of the same n and d is subtracted. Shape: x (d, n) float32, n at most a few hundred.
"""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ._jit import kernel
from .spacing import digamma

K = 4
DRAWS = 4
"""Gaussian samples that the estimate's own error is averaged over."""


@kernel("void(float64[:, ::1], int64, float64[::1])")
def distances(x, k, out):
    """log of the Euclidean distance of every row of x (n, d) to its k-th nearest, (n,)."""
    n, d = x.shape
    nearest = np.empty(k)
    for i in range(n):
        nearest[:] = np.inf
        for j in range(n):
            if j == i:
                continue
            far = 0.0
            for c in range(d):
                apart = x[i, c] - x[j, c]
                far += apart * apart
            if far < nearest[k - 1]:
                at = k - 1
                while at > 0 and nearest[at - 1] > far:
                    nearest[at] = nearest[at - 1]
                    at -= 1
                nearest[at] = far
        out[i] = 0.5 * math.log(max(nearest[k - 1], 1e-300))


@lru_cache(maxsize=16)
def _scores(n: int) -> NDArray[np.float64]:
    """Normal scores of the ranks 1..n."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse((i + 0.5) / n) for i in range(n)])


def _knn(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Terms whose mean is the Kozachenko-Leonenko entropy of x (n, d)."""
    n, d = x.shape
    out = np.empty(n)
    distances(x, K, out)
    ball = 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d + 1)
    return np.asarray(digamma(n) - digamma(K) + ball + d * out)


def _whitened(x: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Normal scores (n, d), whitened, and ½ log det of their correlation."""
    n = x.shape[1]
    scores = _scores(n)[np.argsort(np.argsort(x, axis=1, kind="stable"), axis=1)]
    covariance = scores @ scores.T / n
    factor = np.linalg.cholesky(covariance)
    return np.ascontiguousarray(np.linalg.solve(factor, scores).T), float(np.log(np.diag(factor)).sum())


@lru_cache(maxsize=256)
def _on_gaussian(n: int, d: int) -> float:
    """What the estimator says of independent Gaussians, whose copula has entropy 0."""
    rng = np.random.default_rng(0)
    values = []
    for _ in range(DRAWS):
        whitened, log_det = _whitened(rng.standard_normal((d, n)).astype(np.float32))
        values.append(_knn(whitened).mean() + log_det)
    return float(np.mean(values))


def copula_entropy(x: NDArray[np.float32]) -> tuple[float, float]:
    """Entropy of the copula of x (d, n) and its standard error; at most 0 in truth, 0 for independent dimensions.

    NaN where the ranks of two dimensions agree (the copula has no density) or for fewer than 2d + 8 rows.
    """
    d, n = x.shape
    if n < 2 * d + 8:
        return math.nan, math.nan
    try:
        whitened, log_det = _whitened(x)
    except np.linalg.LinAlgError:
        return math.nan, math.nan
    terms = _knn(whitened)
    return float(terms.mean()) + log_det - _on_gaussian(n, d), float(terms.std() / math.sqrt(n))
