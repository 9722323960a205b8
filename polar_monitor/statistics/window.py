"""Statistics per dimension: call each kernel on a window of rows and collect the arrays of a snapshot.

To add a statistic, call its kernel in `window_statistics` and add a field of the same name to `Snapshot`.

Shapes: mean and variance (D, n) float32. cluster (n,) int64 says which input a row belongs to, or is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import knn_1d, mixture, moments, posterior, published
from ..kernels.valley import valley
from .array_types import F32, Array, Ids
from .resolution import relative
from .thresholds import MIXED_SHARE

Pair = tuple[Array, Array]

MIN_FINITE_ROWS = 32
"""Smallest number of finite rows for an estimate. With fewer it is NaN."""
MAX_COARSE_NATS = 0.01
"""Nats. If the moments bound a dimension's information by this, its estimate uses fewer rows."""
COARSE_STEP = 16
"""Step between the rows that such an estimate uses."""


def window_statistics(
    mean: F32,
    variance: F32 | None,
    cluster: Ids,
    mantissa: int,
    prior_mean: Array,
    prior_var: Array,
    resolution: float | None = None,
) -> dict[str, Any]:
    """Compute every per-dimension statistic of the window, by the names of `Snapshot`, and `resolution`."""
    dimensions = mean.shape[0]
    statistics: dict[str, Any] = {name: np.full(dimensions, np.nan) for name in posterior.NAMES if name != "rows"}
    statistics["valley"], statistics["valley_se"] = np.full((2, dimensions), np.nan)
    statistics["resolution"] = float("nan")
    log_variance: F32 | None = None
    if variance is None:
        rows, centre, squares = np.zeros(dimensions, np.int64), np.zeros(dimensions), np.zeros(dimensions)
        moments.update(rows, centre, squares, mean)
        seen = rows > 0
        statistics["mean"][seen], statistics["variance"][seen] = centre[seen], squares[seen] / rows[seen]
        statistics["resolution"] = relative(statistics["variance"]) if resolution is None else resolution
    else:
        ids = np.zeros(0, np.int64) if cluster is None else cluster
        log_variance = np.log(variance)
        table = posterior.posterior(mean, variance, log_variance, ids, prior_mean, prior_var)
        statistics |= dict(zip(posterior.NAMES, table, strict=True))
        rows = statistics.pop("rows")
        total = statistics["variance"] + statistics["posterior_variance"]
        two_shares = np.minimum(statistics["share_active"], statistics["share_passive"]) >= MIXED_SHARE
        statistics["valley"], statistics["valley_se"] = valley(
            mean, log_variance, rows, total, ids, MIXED_SHARE, two_shares
        )
    baselines = published.baselines(mean, variance, log_variance, rows, prior_mean, prior_var)
    statistics |= dict(zip(published.NAMES, baselines, strict=True))
    statistics["finite"] = _independent(mean, variance, cluster, rows)
    del log_variance  # as large as the window, and not needed while the rest is computed

    coarse = _certificate(statistics) <= MAX_COARSE_NATS

    def estimate(m: F32, s: F32 | None, c: Ids, which: Any) -> tuple[Array, ...]:
        return *_information(m, s, c, statistics["resolution"], coarse[which]), *knn_1d.entropy(m, c, mantissa=mantissa)

    names = ("information", "information_se", "entropy_knn", "entropy_knn_se", "ties")
    return statistics | dict(zip(names, _of_finite_rows(estimate, mean, variance, cluster, rows), strict=True))


def _independent(mean: F32, variance: F32 | None, cluster: Ids, rows: NDArray[Any]) -> Array:
    """Count the inputs with a finite row in each dimension, which has `rows` (D,) finite rows."""
    if cluster is None:
        return rows.astype(np.float64)
    n = mean.shape[1]
    inputs = np.full(len(mean), float(np.unique(cluster).size))
    for j in np.flatnonzero(rows < n):
        inputs[j] = np.unique(cluster[_is_finite(mean[j], None if variance is None else variance[j])]).size
    return inputs


def _is_finite(mean: F32, variance: F32 | None) -> NDArray[np.bool_]:
    """Return which rows (n,) of a dimension are finite and have a variance above 0."""
    return np.isfinite(mean) if variance is None else np.isfinite(mean) & np.isfinite(variance) & (variance > 0)


def _certificate(statistics: dict[str, Any]) -> Array:
    """Return an upper bound of the information from moments alone.

    It is the upper 97.5 % bound of I_G or, without a variance, the information of a Gaussian mean at τ.
    """
    if math.isnan(statistics["resolution"]):
        return np.asarray(statistics["information_upper"] + 1.96 * statistics["information_upper_se"])
    return np.asarray(0.5 * np.log1p(statistics["variance"] / statistics["resolution"] ** 2))


def _information(mean: F32, variance: F32 | None, cluster: Ids, tau: float, coarse: NDArray[np.bool_]) -> Pair:
    """Return the information (resolved entropy without a variance) and its error.

    `coarse` dimensions (D,) use fewer rows.
    """
    value, error = np.empty(len(mean)), np.empty(len(mean))
    for which, step in ((~coarse, 1), (coarse, COARSE_STEP)):
        if not which.any():
            continue
        rows = slice(None, None, step if cluster is None and mean.shape[1] >= COARSE_STEP * MIN_FINITE_ROWS else 1)
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
    """Call an estimator on the finite rows; each dimension has `rows` (D,) of them.

    Dimensions without a non-finite row are estimated in one call, the others one by one.
    """
    n = mean.shape[1]
    complete = rows == n
    if n >= MIN_FINITE_ROWS and complete.all():
        return estimate(mean, variance, cluster, slice(None))
    results = np.full((5, mean.shape[0]), np.nan)
    if n >= MIN_FINITE_ROWS and complete.any():
        results[:, complete] = estimate(
            mean[complete], None if variance is None else variance[complete], cluster, complete
        )
    for j in np.flatnonzero(~complete & (rows >= MIN_FINITE_ROWS)):
        keep = _is_finite(mean[j], None if variance is None else variance[j])
        spread = None if variance is None else variance[j : j + 1, keep]
        results[:, j : j + 1] = estimate(mean[j : j + 1, keep], spread, None if cluster is None else cluster[keep], [j])
    return tuple(results)
