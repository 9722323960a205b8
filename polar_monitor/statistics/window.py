"""Statistics per dimension: what labels and alerts need at every evaluation, from the window of rows.

To add a statistic, call its kernel in `light_statistics` (or in `full_statistics`, if labels do not need it) and add a
field of the same name to `Snapshot`.

Shapes: mean and variance (D, n) float32. group (n,) int32 says which input a row belongs to, or is None.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import mixture, posterior
from ..kernels.mixture import NO_GROUP, Rows
from ..kernels.repeats import occurrences
from ..kernels.valley import valley
from .array_types import F32, Array
from .resolution import relative
from .thresholds import MIXED_SHARE

MIN_FINITE_ROWS = 32
"""Smallest number of finite rows for an estimate. With fewer it is NaN."""
MAX_CERTIFIED_NATS = 0.01
"""Nats. If I_G is surely at or below this, it is the estimate of the information: between 0 and I_G lies no more."""
MIN_REPEAT_NATS = 0.3
"""Nats. Dimensions with less information do not show which inputs recur."""
ERRORS = tuple(name for name in posterior.NAMES if name.endswith("_se"))


def light_statistics(
    mean: F32,
    variance: F32 | None,
    group: NDArray[np.int32] | None,
    prior_mean: Array | float,
    prior_var: Array | float,
    resolution: float | None = None,
) -> dict[str, Any]:
    """Compute what labels and alerts need, by the names of `Snapshot`, and `rows`, the finite rows of a dimension."""
    table = posterior.posterior(mean, variance, group, prior_mean, prior_var)
    rows = Rows(mean, variance, group, table)
    statistics: dict[str, Any] = dict(zip(posterior.NAMES, table, strict=False))
    statistics["resolution"] = tau = math.nan
    if variance is None:
        statistics["resolution"] = tau = relative(statistics["variance"]) if resolution is None else resolution
    enough = table[posterior.ROWS] >= MIN_FINITE_ROWS
    certified = enough & (_certificate(statistics) <= MAX_CERTIFIED_NATS)
    information, error = np.full((2, len(mean)), np.nan)
    estimated = np.flatnonzero(enough & ~certified)
    repeats = _repeats(rows, tau, statistics)
    if estimated.size:
        information[estimated], error[estimated] = mixture.information_of_rows(
            rows, estimated, tau=tau, distinct=1.0 / repeats
        )
    if repeats > 1.0:
        for name in ERRORS:
            statistics[name] = statistics[name] * math.sqrt(repeats)
        statistics["finite"] = np.ceil(statistics["finite"] / repeats)
    if variance is not None:
        upper = np.maximum(statistics["information_upper"], 0.0)
        information = np.where(certified, upper, np.minimum(information, upper))
        error = np.where(certified, statistics["information_upper_se"], error)
    statistics |= _valleys(rows, statistics, math.sqrt(repeats))
    statistics |= {
        "information": information,
        "information_se": error,
        "repeats": repeats,
        "rows": table[posterior.ROWS],
    }
    return statistics


def _certificate(statistics: dict[str, Any]) -> Array:
    """Return the upper 97.5 % bound of I_G; without a variance nothing is certified: +inf."""
    if math.isnan(statistics["resolution"]):
        return np.asarray(statistics["information_upper"] + 1.96 * statistics["information_upper_se"])
    return np.full_like(statistics["mean"], np.inf)


def _repeats(rows: Rows, tau: float, statistics: dict[str, Any]) -> float:
    """Count how often the input of a row occurs in the window, in the dimensions with most information."""
    variance = statistics["variance"]
    with np.errstate(all="ignore"):
        upper = np.log1p(variance / tau**2) / 2.0 if rows.variance is None else statistics["information_upper"]
        order = np.argsort(-upper, kind="stable")
        order = order[upper[order] >= MIN_REPEAT_NATS]
    return occurrences(rows.mean, rows.variance, order, posterior.ACTIVE * variance, tau, rows.group)


def _valleys(rows: Rows, statistics: dict[str, Any], widen: float) -> dict[str, Any]:
    """Search the valley in dimensions with inputs on both sides; there is none in others (1 ± 0)."""
    known = statistics["finite"] > 0
    depth, error = np.where(known, 1.0, np.nan), np.where(statistics["finite"] > 1, 0.0, np.nan)
    if rows.variance is None:
        depth[:] = error[:] = np.nan
        return {"valley": depth, "valley_se": error}
    two = np.flatnonzero(np.minimum(statistics["share_active"], statistics["share_passive"]) >= MIXED_SHARE)
    if two.size:
        total = statistics["variance"] + statistics["posterior_variance"]
        group = NO_GROUP if rows.group is None else rows.group
        depth[two], error[two] = valley(rows.mean, rows.variance, total, group, MIXED_SHARE, two)
        error[two] *= widen
    return {"valley": depth, "valley_se": error}
