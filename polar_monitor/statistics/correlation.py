"""How the dimensions relate: largest correlations, the effective rank, and directions of the mean representation."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import moments
from .snapshot import Array

F32 = NDArray[np.float32]

BLOCK = 512
"""Dimensions correlated with all others at once, which bounds the memory to BLOCK·D numbers; also the largest matrix
whose eigenvalues are computed."""
MOST = 2048
"""Rows that all this is from, at most: a correlation has an error of 0.02 then."""
WORK = 2**29
"""Most multiplications of all correlations together; beyond, evenly spaced rows are left out."""


class Relations(NamedTuple):
    """What `relations` finds."""

    max_correlation: Array
    """Largest |correlation| of each dimension's mean with another's, (D,)."""
    max_correlation_sampled: Array
    """The same of the sample z = μ + σε, (D,)."""
    effective_rank: float
    """exp of the entropy of the normalised eigenvalues of Cov μ (Roy & Vetterli 2007, on the covariance's spectrum)."""


def relations(mean: F32, reliability: Array | None = None) -> Relations:
    """All of them, for mean (D, n) float32, rows in the last axis; a value that is not finite counts as the mean.

    `reliability` (D,) is V / (V + E), the mean's share of the sample's variance: the noise of two dimensions is
    independent, so the sample's correlation is |Cov(μ, μ')| / sqrt((V + E)(V' + E')). Correlations are NaN for a
    constant dimension, where there is no other that varies, and for the sample without a reliability. The rank is from
    1 to D, NaN where nothing varies; above 512 dimensions from at most 512 evenly spaced rows, so at most 512.
    """
    dimensions, n = mean.shape
    scaled = mean[:, :: max(1, -(-n // MOST), -(-dimensions * dimensions * n // WORK))].copy(order="C")
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
    moves = variance > 0
    alone = ~moves | (moves.sum() - moves < 1)
    largest[alone] = np.nan
    sampled[alone if share is not None else slice(None)] = np.nan
    return Relations(largest, sampled, rank)


def directions(mean: F32, least: float) -> int:
    """In how many directions the means (D, n) float32 vary by more than `least`: eigenvalues of Cov μ above it.

    Of at most 2048 evenly spaced rows, and several rows a dimension are needed, or noise looks like low rank. A value
    that is not finite counts as the mean.
    """
    scaled = mean[:, :: max(1, -(-mean.shape[1] // MOST))].copy(order="C")
    variance = np.empty(len(scaled))
    moments.standardise(scaled, variance)
    return int(np.count_nonzero(_eigenvalues(scaled @ scaled.T, variance) * variance.max(initial=0.0) > least))


def _rank(correlation: F32, variance: Array) -> float:
    """From the correlations (D, D) and the variances (D,)."""
    return _effective(_eigenvalues(correlation, variance))


def _eigenvalues(correlation: F32, variance: Array) -> Array:
    """Of the covariance by the largest variance, ascending, from the correlations (D, D) and the variances (D,)."""
    scale = np.sqrt(variance / max(variance.max(initial=0.0), np.finfo(np.float64).tiny))
    return np.asarray(np.linalg.eigvalsh(correlation.astype(np.float64) * np.outer(scale, scale)))


def _rank_of_rows(scaled: F32, variance: Array) -> float:
    """From some of the standardised rows (D, n): as many eigenvalues as rows are left."""
    some = scaled[:, :: max(1, -(-scaled.shape[1] // BLOCK))]
    some = some * np.sqrt(variance / max(variance.max(), np.finfo(np.float64).tiny)).astype(np.float32)[:, None]
    some -= some.mean(axis=1, keepdims=True)
    return _effective(np.linalg.eigvalsh((some.T @ some).astype(np.float64)))


def _effective(values: NDArray[Any]) -> float:
    """exp of the entropy of ascending eigenvalues; what rounding leaves of a product of float32 is none of them."""
    values = values[values > 1e-6 * max(values[-1], 0.0)]
    if not values.size:
        return math.nan
    p = values / values.sum()
    return float(np.exp(-np.sum(p * np.log(p))))
