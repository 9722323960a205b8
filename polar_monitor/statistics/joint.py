"""TODO."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import copula
from .correlation import directions, relations
from .thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, PASSIVE
from .window import F32, Ids

JOINT_ROWS = 512

JOINT_DIMENSIONS = 32
"""The joint entropy is of at most so many dimensions, those with most information."""

ROWS_EACH, DIRECTIONS = 4, 256
"""The directions of a code are of at most DIRECTIONS dimensions, and need so many inputs for each: with fewer, noise
passes for low rank."""


def joint_statistics(mean: F32, variance: F32 | None, found: dict[str, Any], cluster: Ids) -> dict[str, Any]:
    """`joint_entropy` of the block in use, `effective_rank`, `surplus` and the largest correlations.

    Of the dimensions with `MIN_ROWS` finite rows or more, which are those that `found` has an entropy of.
    """
    result: dict[str, Any] = {
        "joint_entropy": float("nan"),
        "joint_entropy_se": float("nan"),
        "effective_rank": float("nan"),
        "surplus": float("nan"),
        "max_correlation": np.full(mean.shape[0], np.nan),
        "max_correlation_sampled": np.full(mean.shape[0], np.nan),
    }
    known = np.isfinite(found["entropy_knn"])
    if not known.any():
        return result
    reliability = None if variance is None else found["reliability"][known]
    largest, sampled, rank = relations(mean if known.all() else mean[known], reliability)
    result["max_correlation"][known], result["max_correlation_sampled"][known] = largest, sampled
    result["effective_rank"] = rank
    if variance is None:
        result["surplus"] = _surplus(mean, found)
    used = np.flatnonzero(found["information"] >= INFORMATIVE)
    if used.size:
        used = np.sort(used[np.argsort(-found["information"][used], kind="stable")[:JOINT_DIMENSIONS]])
        value, error = _copula(mean, used, cluster)
        result["joint_entropy"] = float(found["entropy_knn"][used].sum() + value)
        result["joint_entropy_se"] = float(np.sqrt((found["entropy_knn_se"][used] ** 2).sum() + error**2))
    return result


def _surplus(mean: F32, found: dict[str, Any]) -> float:
    """Dimensions of a code in use beyond the directions that they vary in.

    A direction is one if it is not passive: ½ log(1 + λ / τ²) > PASSIVE nats, λ its variance, τ the resolution.
    """
    used = np.flatnonzero(found["information"] >= INFORMATIVE_MEAN_ONLY)[:DIRECTIONS]
    if not used.size or found["finite"][used].min() < ROWS_EACH * used.size:
        return float("nan")
    return float(used.size - directions(mean[used], math.expm1(2.0 * PASSIVE) * found["resolution"] ** 2))


def _copula(mean: F32, used: NDArray[np.int64], cluster: Ids) -> tuple[float, float]:
    """Entropy of the copula of the used dimensions and its error, from evenly spaced rows that are finite in all."""
    rows = np.arange(mean.shape[1])[:: max(1, -(-mean.shape[1] // JOINT_ROWS))]
    block = mean[used[:, None], rows]
    if not np.isfinite(block).all():
        rows = np.flatnonzero(np.isfinite(mean[used]).all(axis=0))
        rows = rows[:: max(1, -(-rows.size // JOINT_ROWS))]
        block = mean[used[:, None], rows]
    return copula.copula_entropy(block, None if cluster is None else cluster[rows])
