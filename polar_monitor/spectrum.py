"""How the dimensions relate: largest correlations and the effective rank of the mean representation.

mean, variance: (D, n) float32, rows in the last axis. A value that is not finite counts as the dimension's mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .snapshot import Array

F32 = NDArray[np.float32]

BLOCK = 256
"""Dimensions correlated with all others at once: bounds the memory to BLOCK·D numbers."""
WORK = 2**33
"""Most multiplications of all correlations together; beyond, evenly spaced rows are left out."""
ROWS = 512
"""Largest matrix whose eigenvalues are computed."""


def max_correlation(mean: F32, variance: F32 | None = None) -> tuple[Array, Array]:
    """Largest |correlation| of each dimension with another, of the mean μ and of the sample z = μ + σε; (D,) each.

    For the sample it is |Cov(μ, μ')| / sqrt((V + E)(V' + E')), as the noise of two dimensions is independent. NaN for a
    constant dimension, where there is no other that varies, and for the sample where no variance is given.
    """
    dimensions, n = mean.shape
    step = max(1, -(-dimensions * dimensions * n // WORK))
    scaled, spread = _standardised(mean[:, ::step])
    moves, share = spread > 0, None
    if variance is not None:
        fine = np.isfinite(variance[:, ::step])
        noise = variance[:, ::step].sum(axis=1, dtype=np.float64, where=fine) / np.maximum(fine.sum(axis=1), 1)
        share = np.sqrt(spread / np.where(moves, spread + noise, 1.0))
    largest, sampled = np.zeros(dimensions), np.zeros(dimensions)
    for start in range(0, dimensions, BLOCK):
        block = slice(start, start + BLOCK)
        correlation = np.abs(scaled[block] @ scaled.T)
        rows = np.arange(len(correlation))
        correlation[rows, start + rows] = 0.0
        largest[block] = np.minimum(correlation.max(axis=1), 1.0)
        if share is not None:
            correlation *= share.astype(np.float32)
            sampled[block] = np.minimum(correlation.max(axis=1), 1.0) * share[block]
    alone = ~moves | (moves.sum() - moves < 1)
    largest[alone] = np.nan
    sampled[alone if share is not None else slice(None)] = np.nan
    return largest, sampled


def effective_rank(mean: F32) -> float:
    """exp of the entropy of the normalised eigenvalues of Cov μ (Roy & Vetterli 2007, on the covariance's spectrum).

    From 1 to D; NaN where nothing varies. Above 512 dimensions from at most 512 evenly spaced rows, so at most 512.
    """
    dimensions, n = mean.shape
    if dimensions > ROWS:
        mean = mean[:, :: max(1, -(-n // ROWS))]
    scaled, spread = _standardised(mean)
    if not (spread > 0).any():
        return float("nan")
    scaled *= np.sqrt(spread / spread.max()).astype(np.float32)[:, None]
    product = scaled @ scaled.T if dimensions <= ROWS else scaled.T @ scaled
    values = np.linalg.eigvalsh(product.astype(np.float64))
    p = values[values > 1e-6 * values[-1]]  # products of float32 know no smaller ones
    p /= p.sum()
    return float(np.exp(-np.sum(p * np.log(p))))


def _standardised(mean: F32) -> tuple[F32, Array]:
    """Rows of mean 0 and length 1 (a constant: all 0), and the variance before that."""
    fine = np.isfinite(mean)
    count = np.maximum(fine.sum(axis=1), 1)
    least = mean.min(axis=1, where=fine, initial=np.inf)
    largest = mean.max(axis=1, where=fine, initial=-np.inf)
    moves = largest > least
    quarter = np.float32(0.25)  # the difference of two large values stays finite
    x = np.where(fine, mean, np.float32(0)) * quarter
    _centre(x, fine, count)
    top = np.where(moves, np.maximum(x.max(axis=1, initial=0.0), -x.min(axis=1, initial=0.0)), np.float32(1))
    x /= top[:, None]
    _centre(x, fine, count)  # what the rounding of the first time left
    x[~moves] = 0.0
    length = np.sqrt(np.einsum("dn,dn->d", x, x, dtype=np.float64))
    x /= np.where(moves, length, 1.0).astype(np.float32)[:, None]
    return x, (length * top / quarter) ** 2 / count


def _centre(x: F32, fine: NDArray[np.bool_], count: NDArray[np.int64]) -> None:
    x -= (x.sum(axis=1, dtype=np.float64) / count).astype(np.float32)[:, None]
    x[~fine] = 0.0
