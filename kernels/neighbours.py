"""Entropy of the dependence between dimensions (the copula), in nats, by k-th neighbours in d dimensions.

h(X) = Σ h(X_j) + h(copula). Scales differ by orders of magnitude in a polarised code, which misleads neighbours in the
raw space; the copula has none. Its entropy is estimated on the normal scores of the ranks, whitened (Kozachenko &
Leonenko 1987), and the estimate's own error on independent Gaussians of the same n and d is subtracted. Shape: x (d, n)
float32, finite, n below 2^16 and usually a few hundred: time and calls grow with n².
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._jit import kernel
from .spacing import cluster_square, digamma

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

K = 4
DRAWS = 4
"""Gaussian samples that the estimate's own error is averaged over."""
SINGULAR = 1e-6
"""Least standard deviation of normal scores given the dimensions before; below, they are a function of those."""


@kernel("void(float32[:, ::1], float32[::1], float32[:, ::1])")
def nearest(x, room, out):
    """Squared Euclidean distances of every column of x (d, n) to its k nearest others, ascending into out (k, n).

    Each pair is visited once. Float32 differences cancel nothing, so the relative error is that of the arithmetic. Most
    loops are over columns and free of branches, for the compiler to do many at once; room (n,) is to work in.
    """
    d, n = x.shape
    last = out.shape[0] - 1
    for k in range(last + 1):
        for j in range(n):
            out[k, j] = math.inf
    for i in range(n):
        m = n - 1 - i
        far = room[:m]
        for j in range(m):
            far[j] = 0.0
        for c in range(0, d - 1, 2):
            first, second, a0, b0 = x[c, i + 1 :], x[c + 1, i + 1 :], x[c, i], x[c + 1, i]
            for j in range(m):
                a, b = first[j] - a0, second[j] - b0
                far[j] += a * a + b * b
        if d % 2 == 1:
            first, a0 = x[d - 1, i + 1 :], x[d - 1, i]
            for j in range(m):
                a = first[j] - a0
                far[j] += a * a
        # i as a neighbour of the columns after it: sorted insertion by minima and maxima
        for k in range(last, -1, -1):
            here, nearer = out[k, i + 1 :], out[k - 1, i + 1 :] if k > 0 else far
            for j in range(m):
                a = far[j] if far[j] > nearer[j] else nearer[j]
                here[j] = a if a < here[j] else here[j]
        # the columns after it as neighbours of i
        most = out[last, i]
        for j in range(m):
            a = far[j]
            if a < most:
                k = last
                while k > 0 and out[k - 1, i] > a:
                    out[k, i] = out[k - 1, i]
                    k -= 1
                out[k, i] = a
                most = out[last, i]


@lru_cache(maxsize=16)
def _scores(n: int) -> F64:
    """Normal scores of the ranks 1..n."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse((i + 0.5) / n) for i in range(n)])


@lru_cache(maxsize=16)
def _tickets(d: int, n: int) -> NDArray[np.int64]:
    """The order of tied values, drawn for each dimension by itself, as (draw, row) in the low 32 bits; (d, n)."""
    return np.random.default_rng(0).integers(0, 1 << 16, (d, n)) << 16 | np.arange(n)


def _normal(x: F32) -> F64:
    """Normal scores (d, n) of the ranks in each dimension. Tied values are in another random order in each."""
    bits = (x + np.float32(0.0)).view(np.int32)  # -0.0 becomes 0.0
    bits ^= (bits >> 31) & 0x7FFFFFFF  # integers in the order of the floats
    order = np.sort(bits.astype(np.int64) << 32 | _tickets(*x.shape), axis=1) & 0xFFFF
    scores = np.empty(x.shape)
    np.put_along_axis(scores, order, _scores(x.shape[1])[None], axis=1)
    return scores


def _terms(x: F32) -> F64 | None:
    """Terms whose mean estimates the entropy of x's normal scores less that of independent ones; None: no density."""
    d, n = x.shape
    scores = _normal(x)
    try:
        factor = np.linalg.cholesky(scores @ scores.T / n)
    except np.linalg.LinAlgError:
        return None
    if factor.diagonal().min() < SINGULAR:
        return None
    whitened = (np.linalg.inv(factor) @ scores).astype(np.float32)
    squares = np.empty((K, n), np.float32)
    nearest(whitened, np.empty(n, np.float32), squares)
    ball = 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d + 1)
    constant = digamma(n) - digamma(K) + ball + np.log(factor.diagonal()).sum()
    return np.asarray(constant + 0.5 * d * np.log(np.maximum(squares[-1], 1e-30), dtype=np.float64))


@lru_cache(maxsize=256)
def _on_gaussian(d: int, n: int) -> float:
    """What the estimator says of independent Gaussians, whose copula has entropy 0."""
    rng = np.random.default_rng(0)
    drawn = [_terms(rng.standard_normal((d, n)).astype(np.float32)) for _ in range(DRAWS)]
    return float(np.mean([terms.mean() for terms in drawn if terms is not None]))


def copula_entropy(x: F32, cluster: NDArray[Any] | None = None) -> tuple[float, float]:
    """Entropy of the copula of x (d, n) and its standard error; at most 0 in truth, 0 for independent dimensions.

    Rows of one `cluster` (n,), ids side by side, are dependent. Strictly increasing maps of the dimensions change no
    bit of the answer. NaN where the scores of a dimension are a linear function of others' (the copula has no density)
    and for fewer than 2d + 8 rows; (0, 0) for one dimension.
    """
    d, n = x.shape
    if n < 2 * d + 8:
        return math.nan, math.nan
    if d == 1:
        return 0.0, 0.0
    terms = _terms(x)
    if terms is None:
        return math.nan, math.nan
    mean = terms.mean()
    ids = np.arange(n) if cluster is None else cluster
    error = math.sqrt(cluster_square((terms - mean)[None], ids)[0] / n)
    return float(mean) - _on_gaussian(d, n), error
