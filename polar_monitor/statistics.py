"""From a window of rows to the arrays of a snapshot: which kernel gives which statistic.

Shapes: mean and variance (D, n) float32; cluster (n,) int64 ids of rows that belong to one input, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import mixture, neighbours, posterior, spacing
from .regime import INFORMATIVE
from .snapshot import Array
from .spectrum import effective_rank, max_correlation

F32 = NDArray[np.float32]
Ids = NDArray[np.int64] | None

RESOLUTION = 0.1
"""Without a variance the mean is resolved at this share of the scale of the widest dimensions."""
WIDEST = 3
JOINT_ROWS = 512
JOINT_DIMENSIONS = 32
"""The joint entropy is of at most so many dimensions, those with most information."""
MIN_ROWS = 32
"""Fewer finite rows than this give NaN."""


def window_statistics(
    mean: F32, variance: F32 | None, cluster: Ids, mantissa: int, prior_mean: Array, prior_var: Array
) -> dict[str, Any]:
    """Every per-dimension statistic of the window, by the names of `Snapshot`, and `resolution`."""
    dimensions = mean.shape[0]
    found: dict[str, Any] = {name: np.full(dimensions, np.nan) for name in posterior.NAMES if name != "rows"}
    if variance is None:
        table = posterior.location(mean)
        found["mean"], found["variance"] = table[1], table[2]
        found["resolution"] = tau = resolution(found["variance"])
        noise = np.full(dimensions, tau)
        information = _finite_rows(lambda m, s, c: mixture.resolved(m, noise[: len(m)], c), mean, None, cluster, 2)
    else:
        none = np.zeros(0, np.int64)
        table = posterior.posterior(
            mean, variance, np.log(variance), none if cluster is None else cluster, prior_mean, prior_var
        )
        found |= {name: table[i] for i, name in enumerate(posterior.NAMES) if name != "rows"}
        found["resolution"] = float("nan")
        information = _finite_rows(lambda m, s, c: mixture.information(m, s, c), mean, variance, cluster, 2)
    found["information"], found["information_se"] = information
    knn = _finite_rows(lambda m, s, c: spacing.entropy(m, c, mantissa=mantissa), mean, None, cluster, 3)
    found["entropy_knn"], found["entropy_knn_se"], found["ties"] = knn
    return found


def joint_statistics(mean: F32, variance: F32 | None, found: dict[str, Any], cluster: Ids) -> dict[str, Any]:
    """`joint_entropy` of the block in use, `effective_rank` and the largest correlations."""
    nothing = np.full(mean.shape[0], np.nan)
    result: dict[str, Any] = {
        "joint_entropy": float("nan"),
        "joint_entropy_se": float("nan"),
        "effective_rank": float("nan"),
        "max_correlation": nothing,
        "max_correlation_sampled": nothing.copy(),
    }
    finite = np.isfinite(mean).all(axis=0)
    if variance is not None:
        finite &= np.isfinite(variance).all(axis=0)
    if not finite.all():
        mean, variance = mean[:, finite], None if variance is None else variance[:, finite]
    if mean.shape[1] < MIN_ROWS:
        return result
    result["effective_rank"] = effective_rank(mean)
    result["max_correlation"], result["max_correlation_sampled"] = max_correlation(mean, variance)
    used = np.flatnonzero(found["information"] >= INFORMATIVE)
    if used.size:
        used = np.sort(used[np.argsort(-found["information"][used], kind="stable")[:JOINT_DIMENSIONS]])
        block = np.ascontiguousarray(mean[used, :: -(-mean.shape[1] // JOINT_ROWS)])
        copula = neighbours.copula_entropy(block) if used.size > 1 else (0.0, 0.0)
        result["joint_entropy"] = float(found["entropy_knn"][used].sum() + copula[0])
        result["joint_entropy_se"] = float(np.sqrt((found["entropy_knn_se"][used] ** 2).sum() + copula[1] ** 2))
    return result


def resolution(variance: Array) -> float:
    """τ of mean-only latents: a tenth of the median standard deviation of the three widest dimensions."""
    scales = np.sort(np.sqrt(variance[np.isfinite(variance)]))[-WIDEST:]
    tau = RESOLUTION * float(np.median(scales)) if scales.size else 0.0
    return tau if tau > 0 else 1.0


def _finite_rows(
    estimate: Callable[[F32, Any, Ids], tuple[Array, ...]], mean: F32, variance: F32 | None, cluster: Ids, width: int
) -> tuple[Array, ...]:
    """Call an estimator on the rows that are finite, dimension by dimension only where some are not."""
    fine = np.isfinite(mean)
    if variance is not None:
        fine &= np.isfinite(variance)
    whole = fine.all(axis=1)
    results = tuple(np.full(mean.shape[0], np.nan) for _ in range(width))

    def put(where: Any, values: tuple[Array, ...]) -> None:
        for result, value in zip(results, values, strict=True):
            result[where] = value

    if mean.shape[1] >= MIN_ROWS and whole.all():
        return estimate(mean, variance, cluster)
    if mean.shape[1] >= MIN_ROWS and whole.any():
        put(whole, estimate(mean[whole], None if variance is None else variance[whole], cluster))
    for j in np.flatnonzero(~whole & (fine.sum(axis=1) >= MIN_ROWS)):
        keep = fine[j]
        one = np.ascontiguousarray(mean[j : j + 1, keep])
        spread = None if variance is None else np.ascontiguousarray(variance[j : j + 1, keep])
        put(slice(j, j + 1), estimate(one, spread, None if cluster is None else cluster[keep]))
    return results
