"""Relations between dimensions: largest correlations, effective rank, and directions of the mean representation."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import moments
from .array_types import F32, Array

BLOCK = 512
"""Number of dimensions that are correlated with all others at once. It bounds the memory to BLOCK·D numbers, and it is
the size of the largest matrix whose eigenvalues are computed."""
MAX_ROWS = 2048
"""Largest number of rows that are used: a correlation has an error of 0.02 then."""
MAX_MULTIPLICATIONS = 2**29
"""Largest number of multiplications of all correlations together. Beyond it, evenly spaced rows are left out."""


class Relations(NamedTuple):
    """Result of `relations`."""

    max_correlation: Array
    """Largest |correlation| of each dimension's mean with another's, (D,)."""
    max_correlation_sampled: Array
    """Largest |correlation| of each dimension's sample z = μ + σε with another's, (D,)."""
    effective_rank: float
    """exp of the entropy of the normalised eigenvalues of Cov μ (Roy & Vetterli 2007, on the covariance's spectrum)."""


def relations(mean: F32, reliability: Array | None = None) -> Relations:
    """Compute correlations and rank of mean (D, n) float32. A value that is not finite counts as the mean.

    `reliability` (D,) is V / (V + E), the mean's share of the sample's variance. The noise of two dimensions is
    independent, so the sample's correlation is |Cov(μ, μ')| / sqrt((V + E)(V' + E')). Correlations are NaN for a
    constant dimension, if no other dimension varies, and for the sample without a reliability. The rank is from 1 to D,
    and NaN if nothing varies. Above 512 dimensions it comes from at most 512 evenly spaced rows, and is at most 512.
    """
    dimensions, n = mean.shape
    scaled = mean[:, :: max(1, -(-n // MAX_ROWS), -(-dimensions * dimensions * n // MAX_MULTIPLICATIONS))].copy(
        order="C"
    )
    variance = np.empty(dimensions)
    moments.standardise(scaled, variance)
    share = None if reliability is None else np.sqrt(np.nan_to_num(reliability))
    largest, sampled = np.zeros(dimensions), np.zeros(dimensions)
    rank = math.nan
    for start in range(0, dimensions, BLOCK):
        block = slice(start, start + BLOCK)
        correlation = scaled[block] @ scaled.T
        if dimensions <= BLOCK:
            rank = _rank(correlation, variance)
        np.abs(correlation, out=correlation)
        rows = np.arange(len(correlation))
        correlation[rows, start + rows] = 0.0
        largest[block] = np.minimum(correlation.max(axis=1), 1.0)
        if share is not None:
            correlation *= share.astype(np.float32)
            sampled[block] = np.minimum(correlation.max(axis=1), 1.0) * share[block]
    if dimensions > BLOCK:
        rank = _rank_of_rows(scaled, variance)
    varies = variance > 0
    alone = ~varies | (varies.sum() - varies < 1)
    largest[alone] = np.nan
    sampled[alone if share is not None else slice(None)] = np.nan
    return Relations(largest, sampled, rank)


def directions(mean: F32, threshold: float) -> int:
    """Count the eigenvalues of Cov μ above `threshold`, for mean (D, n) float32: the directions that it varies in.

    Uses at most 2048 evenly spaced rows. It needs several rows a dimension, as noise looks like low rank otherwise. A
    value that is not finite counts as the mean.
    """
    scaled = mean[:, :: max(1, -(-mean.shape[1] // MAX_ROWS))].copy(order="C")
    variance = np.empty(len(scaled))
    moments.standardise(scaled, variance)
    return int(np.count_nonzero(_eigenvalues(scaled @ scaled.T, variance) * variance.max(initial=0.0) > threshold))


def _rank(correlation: F32, variance: Array) -> float:
    """Return the effective rank from the correlations (D, D) and the variances (D,)."""
    return _effective(_eigenvalues(correlation, variance))


def _eigenvalues(correlation: F32, variance: Array) -> Array:
    """Return the eigenvalues of the covariance divided by the largest variance, in ascending order.

    correlation (D, D), variance (D,).
    """
    scale = np.sqrt(variance / max(variance.max(initial=0.0), np.finfo(np.float64).tiny))
    return np.asarray(np.linalg.eigvalsh(correlation.astype(np.float64) * np.outer(scale, scale)))


def _rank_of_rows(scaled: F32, variance: Array) -> float:
    """Return the effective rank from evenly spaced columns of the standardised rows (D, n), one eigenvalue a column."""
    some = scaled[:, :: max(1, -(-scaled.shape[1] // BLOCK))]
    some = some * np.sqrt(variance / max(variance.max(), np.finfo(np.float64).tiny)).astype(np.float32)[:, None]
    some -= some.mean(axis=1, keepdims=True)
    return _effective(np.linalg.eigvalsh((some.T @ some).astype(np.float64)))


def _effective(values: NDArray[Any]) -> float:
    """Return exp of the entropy of ascending eigenvalues. Those that float32 rounding can make are left out."""
    values = values[values > 1e-6 * max(values[-1], 0.0)]
    if not values.size:
        return math.nan
    p = values / values.sum()
    return float(np.exp(-np.sum(p * np.log(p))))
