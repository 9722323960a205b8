"""Statistics that labels do not need: entropies, ties, relations between dimensions, numbers of published criteria."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import knn_1d, published
from .array_types import F32, Array
from .joint import joint_statistics
from .window import MIN_FINITE_ROWS


def full_statistics(
    mean: F32,
    variance: F32 | None,
    group: NDArray[np.int32] | None,
    mantissa: int,
    prior_mean: Array,
    prior_var: Array,
    statistics: dict[str, Any],
    codes: F32 | None = None,
) -> dict[str, Any]:
    """Compute the rest of the names of `Snapshot` from the window and its light `statistics`.

    codes: the means in the scale in which a code is resolved, if that is another one.
    """
    rows = statistics["rows"]
    result: dict[str, Any] = dict(
        zip(published.NAMES, published.baselines(mean, variance, rows, prior_mean, prior_var), strict=True)
    )
    cluster = None if group is None else group.astype(np.int64)
    names = ("entropy_knn", "entropy_knn_se", "ties")
    result |= dict(zip(names, _of_finite_rows(mean, variance, cluster, mantissa, rows), strict=True))
    result["entropy_knn_se"] = result["entropy_knn_se"] * math.sqrt(statistics["repeats"])
    return result | joint_statistics(mean, variance, statistics | result, cluster, codes)


def _of_finite_rows(
    mean: F32, variance: F32 | None, cluster: NDArray[np.int64] | None, mantissa: int, rows: Array
) -> NDArray[np.float64]:
    """Estimate the entropy of the finite rows; each dimension has `rows` (D,) of them."""
    if variance is not None and (rows < mean.shape[1]).any():
        mean = np.where(np.isfinite(variance), mean, np.float32(np.nan))
    results = np.array(knn_1d.entropy(mean, cluster, mantissa=mantissa))
    results[:, rows < MIN_FINITE_ROWS] = np.nan
    return results
