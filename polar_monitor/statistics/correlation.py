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
MAX_ROWS_WIDE = 1024
"""The same for more than WIDE dimensions: an error of 0.03."""
WIDE = 256
"""Largest number of dimensions that counts as few."""
MAX_MULTIPLICATIONS = 2**29
"""Largest number of multiplications of all correlations together. Beyond it, evenly spaced rows are left out."""
MAX_EXACT = 128
"""Largest number of dimensions whose eigenvalues are always computed together."""
NEGLIGIBLE = 1e-3
"""Share of the total variance, in the dimensions of least variance, that counts as uncorrelated for the rank. A share e
makes the rank too high by at most the factor exp(h(e) + e log D), with h the entropy of (e, 1 - e): 1.5 %."""
MAX_SPAN, MIN_SPAN = 1e30, 1e-30
"""Range of the spans of dimensions whose sums do not overflow, and do not vanish, in float32."""


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
    and NaN if nothing varies. Above 128 dimensions those with a thousandth of the variance count as uncorrelated in it;
    above 512 it comes from at most 512 evenly spaced rows, and is at most 512.
    """
    dimensions, n = mean.shape
    most = MAX_ROWS if dimensions <= WIDE else MAX_ROWS_WIDE
    step = max(1, -(-n // most), -(-dimensions * dimensions * n // MAX_MULTIPLICATIONS))
    scaled, variance = _standardised(mean, step)
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
    scaled, variance = _standardised(mean, max(1, -(-mean.shape[1] // MAX_ROWS)))
    return int(np.count_nonzero(_eigenvalues(scaled @ scaled.T, variance) * variance.max(initial=0.0) > threshold))


def _standardised(mean: F32, step: int) -> tuple[F32, Array]:
    """Return every `step`-th row of mean (D, n), each dimension with mean 0 and length 1, and the variances (D,).

    A dimension that does not vary becomes 0, with variance 0; a value that is not finite counts as the mean. Ordinary
    numbers are centred twice in float32, which is as exact as the products of the rows are; dimensions with others in
    float64.
    """
    rows = mean[:, ::step].copy(order="C")
    n = rows.shape[1]
    with np.errstate(invalid="ignore"):
        high, low = rows.max(axis=1, initial=-np.inf), rows.min(axis=1, initial=np.inf)
        span = high.astype(np.float64) - low
    varies = span > 0.0
    odd = ~((high <= MAX_SPAN) & (low >= -MAX_SPAN)) | (varies & (span < MIN_SPAN)) | (n == 0)
    if odd.any():
        others, variance = rows[odd], np.zeros(len(rows))
        own = np.empty(len(others))
        moments.standardise(others, own)
        if not odd.all():
            rows[~odd], variance[~odd] = _standardised(rows[~odd], 1)
        rows[odd], variance[odd] = others, own
        return rows, variance
    scale = np.divide(1.0, span, out=np.zeros(len(rows)), where=varies)
    rows -= rows.mean(axis=1, keepdims=True)
    rows *= scale.astype(np.float32)[:, None]
    rows -= rows.mean(axis=1, keepdims=True)
    squares = np.einsum("dn,dn->d", rows, rows).astype(np.float64)
    rows *= np.divide(1.0, np.sqrt(squares), out=np.zeros(len(rows)), where=varies).astype(np.float32)[:, None]
    return rows, squares * span * span / n


def _rank(correlation: F32, variance: Array) -> float:
    """Return the effective rank from the correlations (D, D) and the variances (D,)."""
    if len(variance) <= MAX_EXACT:
        return _effective(_eigenvalues(correlation, variance))
    order = np.argsort(-variance)
    size = 1 + int(np.searchsorted(np.cumsum(variance[order]), (1.0 - NEGLIGIBLE) * variance.sum()))
    some, others = order[:size], variance[order[size:]]
    values = _eigenvalues(correlation[np.ix_(some, some)], variance[some])
    return _effective(np.sort(np.append(values, others / max(variance.max(), np.finfo(np.float64).tiny))))


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
