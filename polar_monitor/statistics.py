"""From a window of rows to the arrays of a snapshot: which kernel gives which statistic.

Shapes: mean and variance (D, n) float32; cluster (n,) int64 ids of rows that belong to one input, or None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import copula, knn_1d, mixture, moments, posterior, published
from .kernels.valley import valley
from .rule import INFORMATIVE, INFORMATIVE_MEAN_ONLY, MIXED_SHARE, PASSIVE
from .scale import relative
from .snapshot import Array
from .spectrum import directions, relations

F32 = NDArray[np.float32]
Ids = NDArray[np.int64] | None
Pair = tuple[Array, Array]

JOINT_ROWS = 512
JOINT_DIMENSIONS = 32
"""The joint entropy is of at most so many dimensions, those with most information."""
MIN_ROWS = 32
"""Fewer finite rows than this give NaN."""
ROWS_EACH, DIRECTIONS = 4, 256
"""The directions of a code are of at most DIRECTIONS dimensions, and need so many inputs for each: with fewer, noise
passes for low rank."""
SURE, COARSE = 0.01, 16
"""A dimension whose information the moments surely bound by SURE nats needs no more than every COARSE-th row."""


def window_statistics(
    mean: F32,
    variance: F32 | None,
    cluster: Ids,
    mantissa: int,
    prior_mean: Array,
    prior_var: Array,
    resolution: float | None = None,
) -> dict[str, Any]:
    """Every per-dimension statistic of the window, by the names of `Snapshot`, and `resolution`."""
    dimensions = mean.shape[0]
    found: dict[str, Any] = {name: np.full(dimensions, np.nan) for name in posterior.NAMES if name != "rows"}
    found["valley"], found["valley_se"] = np.full((2, dimensions), np.nan)
    found["resolution"] = float("nan")
    log_variance: F32 | None = None
    if variance is None:
        rows, centre, squares = np.zeros(dimensions, np.int64), np.zeros(dimensions), np.zeros(dimensions)
        moments.update(rows, centre, squares, mean)
        some = rows > 0
        found["mean"][some], found["variance"][some] = centre[some], squares[some] / rows[some]
        found["resolution"] = relative(found["variance"]) if resolution is None else resolution
    else:
        ids = np.zeros(0, np.int64) if cluster is None else cluster
        log_variance = np.log(variance)
        table = posterior.posterior(mean, variance, log_variance, ids, prior_mean, prior_var)
        found |= dict(zip(posterior.NAMES, table, strict=True))
        rows = found.pop("rows")
        total = found["variance"] + found["posterior_variance"]
        kinds = np.minimum(found["share_active"], found["share_passive"]) >= MIXED_SHARE
        found["valley"], found["valley_se"] = valley(mean, log_variance, rows, total, ids, MIXED_SHARE, kinds)
    baselines = published.baselines(mean, variance, log_variance, rows, prior_mean, prior_var)
    found |= dict(zip(published.NAMES, baselines, strict=True))
    found["finite"] = _independent(mean, variance, cluster, rows)
    del log_variance  # as large as the window, and not needed while the rest is computed

    coarse = _certificate(found) <= SURE

    def estimate(m: F32, s: F32 | None, c: Ids, of: Any) -> tuple[Array, ...]:
        return *_information(m, s, c, found["resolution"], coarse[of]), *knn_1d.entropy(m, c, mantissa=mantissa)

    names = ("information", "information_se", "entropy_knn", "entropy_knn_se", "ties")
    return found | dict(zip(names, _of_finite_rows(estimate, mean, variance, cluster, rows), strict=True))


def _independent(mean: F32, variance: F32 | None, cluster: Ids, rows: NDArray[Any]) -> Array:
    """How many inputs have a finite row, of every dimension with `rows` (D,) of them."""
    if cluster is None:
        return rows.astype(np.float64)
    n = mean.shape[1]
    found = np.full(len(mean), float(np.unique(cluster).size))
    for j in np.flatnonzero(rows < n):
        found[j] = np.unique(cluster[_fine(mean[j], None if variance is None else variance[j])]).size
    return found


def _fine(mean: F32, variance: F32 | None) -> NDArray[np.bool_]:
    """Which rows (n,) of a dimension count."""
    return np.isfinite(mean) if variance is None else np.isfinite(mean) & np.isfinite(variance) & (variance > 0)


def _certificate(found: dict[str, Any]) -> Array:
    """Upper 97.5 % bound of the information from moments alone; without a variance, of a Gaussian mean at τ."""
    if math.isnan(found["resolution"]):
        return np.asarray(found["information_upper"] + 1.96 * found["information_upper_se"])
    return np.asarray(0.5 * np.log1p(found["variance"] / found["resolution"] ** 2))


def _information(mean: F32, variance: F32 | None, cluster: Ids, tau: float, coarse: NDArray[np.bool_]) -> Pair:
    """Information (resolved entropy without a variance) and its error; `coarse` dimensions from fewer rows."""
    value, error = np.empty(len(mean)), np.empty(len(mean))
    for which, step in ((~coarse, 1), (coarse, COARSE)):
        if not which.any():
            continue
        rows = slice(None, None, step if cluster is None and mean.shape[1] >= COARSE * MIN_ROWS else 1)
        part = np.ascontiguousarray(mean[which, rows])
        if variance is None:
            value[which], error[which] = mixture.resolved(part, np.full(len(part), tau), cluster)
        else:
            spread = np.ascontiguousarray(variance[which, rows])
            value[which], error[which] = mixture.information(part, spread, cluster)
    return value, error


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


def _of_finite_rows(
    estimate: Callable[[F32, F32 | None, Ids, Any], tuple[Array, ...]],
    mean: F32,
    variance: F32 | None,
    cluster: Ids,
    rows: NDArray[Any],
) -> tuple[Array, ...]:
    """Call an estimator on the finite rows, `rows` (D,) in number: dimension by dimension only where some are not."""
    n = mean.shape[1]
    whole = rows == n
    if n >= MIN_ROWS and whole.all():
        return estimate(mean, variance, cluster, slice(None))
    results = np.full((5, mean.shape[0]), np.nan)
    if n >= MIN_ROWS and whole.any():
        results[:, whole] = estimate(mean[whole], None if variance is None else variance[whole], cluster, whole)
    for j in np.flatnonzero(~whole & (rows >= MIN_ROWS)):
        keep = _fine(mean[j], None if variance is None else variance[j])
        spread = None if variance is None else variance[j : j + 1, keep]
        results[:, j : j + 1] = estimate(mean[j : j + 1, keep], spread, None if cluster is None else cluster[keep], [j])
    return tuple(results)
