"""From a window of rows to the arrays of a snapshot: which kernel gives which statistic.

Shapes: mean and variance (D, n) float32; cluster (n,) int64 ids of rows that belong to one input, or None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import knn_1d, mixture, moments, posterior, published
from ..kernels.valley import valley
from .resolution import relative
from .snapshot import Array
from .thresholds import MIXED_SHARE

F32 = NDArray[np.float32]
Ids = NDArray[np.int64] | None
Pair = tuple[Array, Array]

MIN_FINITE_ROWS = 32
"""Fewer finite rows than this give NaN."""
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
        rows = slice(None, None, step if cluster is None and mean.shape[1] >= COARSE * MIN_FINITE_ROWS else 1)
        part = np.ascontiguousarray(mean[which, rows])
        if variance is None:
            value[which], error[which] = mixture.resolved(part, np.full(len(part), tau), cluster)
        else:
            spread = np.ascontiguousarray(variance[which, rows])
            value[which], error[which] = mixture.information(part, spread, cluster)
    return value, error


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
    if n >= MIN_FINITE_ROWS and whole.all():
        return estimate(mean, variance, cluster, slice(None))
    results = np.full((5, mean.shape[0]), np.nan)
    if n >= MIN_FINITE_ROWS and whole.any():
        results[:, whole] = estimate(mean[whole], None if variance is None else variance[whole], cluster, whole)
    for j in np.flatnonzero(~whole & (rows >= MIN_FINITE_ROWS)):
        keep = _fine(mean[j], None if variance is None else variance[j])
        spread = None if variance is None else variance[j : j + 1, keep]
        results[:, j : j + 1] = estimate(mean[j : j + 1, keep], spread, None if cluster is None else cluster[keep], [j])
    return tuple(results)
