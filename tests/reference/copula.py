"""The copula's entropy as it is written down: all pairs, in float64."""

import math
from statistics import NormalDist

import numpy as np

EULER = 0.5772156649015329


def digamma(n: int) -> float:
    """ψ(n) = −γ + 1 + 1/2 + … + 1/(n − 1)."""
    return -EULER + sum(1 / i for i in range(1, n))


def scores(x: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks in each dimension of x (d, n), without ties."""
    n = x.shape[1]
    return np.array([[NormalDist().inv_cdf(((row < value).sum() + 0.5) / n) for value in row] for row in x])


def distances(x: np.ndarray, form: np.ndarray) -> np.ndarray:
    """√ (a − b)ᵀ form (a − b) of all columns a, b of x (d, n); ascending, (n, n - 1)."""
    apart = x[:, :, None] - x[:, None, :]
    squares = np.einsum("iab,ij,jab->ab", apart, form, apart)
    return np.array([np.sqrt(np.sort(np.delete(row, i))) for i, row in enumerate(squares)])


def entropy(scores: np.ndarray, k: int) -> float:
    """Kozachenko & Leonenko's estimate for the columns of scores (d, n), less the entropy of d standard Gaussians.

    Distances are Mahalanobis's, so the ball of radius ε has the volume √det C times that of a Euclidean one.
    """
    d, n = scores.shape
    covariance = scores @ scores.T / n
    far = distances(scores, np.linalg.inv(covariance))[:, k - 1]
    ball = math.log(math.pi ** (d / 2) / math.gamma(d / 2 + 1) * math.sqrt(np.linalg.det(covariance)))
    return digamma(n) - digamma(k) + ball + d * np.log(far).mean() - d * 0.5 * math.log(2 * math.pi * math.e)


def local_dimension(x: np.ndarray, k: int) -> float:
    """Σ_j (ψ(k) − ψ(j)) over Σ_j of the mean log ratios of the distances of the k-th and the j-th neighbour."""
    far = np.log(distances(x, np.eye(len(x))))
    expected = sum(digamma(k) - digamma(j) for j in range(1, k))
    return expected / sum(np.mean(far[:, k - 1] - far[:, j - 1]) for j in range(1, k))
