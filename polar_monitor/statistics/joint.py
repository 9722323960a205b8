"""Statistics of all dimensions together: joint entropy, effective rank, correlations and surplus."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import copula
from .array_types import F32, Ids
from .correlation import directions, relations
from .thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, PASSIVE

MAX_JOINT_ROWS = 512
"""Largest number of rows that the joint entropy uses."""
FEW_DIMENSIONS = 16
"""Largest number of dimensions in use with which the joint entropy uses half of these rows. The time grows with the
square of the rows, and the standard error falls with their root: 0.08 nats with 5 dimensions, 0.10 with 10."""
MAX_JOINT_DIMENSIONS = 32
"""Largest number of dimensions that the joint entropy uses: those with most information."""
MAX_SURPLUS_DIMENSIONS = 256
"""Largest number of dimensions whose directions are counted."""
MIN_INPUTS_PER_DIMENSION = 4
"""Smallest number of inputs for each of these dimensions. With fewer, noise looks like low rank."""


def joint_statistics(
    mean: F32, has_variance: bool, statistics: dict[str, Any], cluster: Ids, codes: F32 | None = None
) -> dict[str, Any]:
    """Compute `joint_entropy` of the dimensions in use, `effective_rank`, `surplus` and the largest correlations.

    Uses the dimensions whose entropy `statistics` has: those with enough finite rows. codes: the means in the scale in
    which a code is resolved, for the surplus, if that is another one.
    """
    result: dict[str, Any] = {
        "joint_entropy": float("nan"),
        "joint_entropy_se": float("nan"),
        "effective_rank": float("nan"),
        "surplus": float("nan"),
        "max_correlation": np.full(mean.shape[0], np.nan),
        "max_correlation_sampled": np.full(mean.shape[0], np.nan),
    }
    known = np.isfinite(statistics["entropy_knn"])
    if not known.any():
        return result
    reliability = statistics["reliability"][known] if has_variance else None
    largest, sampled, rank = relations(mean if known.all() else mean[known], reliability)
    result["max_correlation"][known], result["max_correlation_sampled"][known] = largest, sampled
    result["effective_rank"] = rank
    if not has_variance:
        result["surplus"] = _surplus(mean if codes is None else codes, statistics)
    used = np.flatnonzero(statistics["information"] >= INFORMATIVE)
    if used.size:
        used = np.sort(used[np.argsort(-statistics["information"][used], kind="stable")[:MAX_JOINT_DIMENSIONS]])
        value, error = _copula(mean, used, cluster)
        result["joint_entropy"] = float(statistics["entropy_knn"][used].sum() + value)
        result["joint_entropy_se"] = float(np.sqrt((statistics["entropy_knn_se"][used] ** 2).sum() + error**2))
    return result


def _surplus(mean: F32, statistics: dict[str, Any]) -> float:
    """Count the dimensions in use minus the directions that they vary in.

    A direction counts if it is not passive: ½ log(1 + λ / τ²) > PASSIVE nats, λ its variance, τ the resolution.
    """
    used = np.flatnonzero(statistics["information"] >= INFORMATIVE_MEAN_ONLY)[:MAX_SURPLUS_DIMENSIONS]
    if not used.size or statistics["finite"][used].min() < MIN_INPUTS_PER_DIMENSION * used.size:
        return float("nan")
    return float(used.size - directions(mean[used], math.expm1(2.0 * PASSIVE) * statistics["resolution"] ** 2))


def _copula(mean: F32, used: NDArray[np.int64], cluster: Ids) -> tuple[float, float]:
    """Return the entropy of the copula of the used dimensions and its error.

    Uses evenly spaced rows that are finite in all of them.
    """
    most = MAX_JOINT_ROWS if used.size > FEW_DIMENSIONS else MAX_JOINT_ROWS // 2
    rows = _evenly_spaced(mean.shape[1], most)
    block = mean[used[:, None], rows]
    if not np.isfinite(block).all():
        rows = np.flatnonzero(np.isfinite(mean[used]).all(axis=0))
        rows = rows[_evenly_spaced(rows.size, most)]
        block = mean[used[:, None], rows]
    return copula.copula_entropy(block, None if cluster is None else cluster[rows])


def _evenly_spaced(rows: int, most: int) -> NDArray[np.int64]:
    """Return the indices of exactly `most` rows, for which the copula's own error is tabulated, or of all if fewer."""
    return np.linspace(0, rows - 1, min(rows, most)).astype(np.int64)
