"""Statistics that labels do not need: entropies, ties, relations between dimensions, numbers of published criteria."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import knn_1d, published
from .array_types import F32, Array
from .joint import joint_statistics
from .window import MIN_FINITE_ROWS

MAX_COVERED = 2048
"""Largest number of dimensions that the other statistics cover on a training thread. Correlations grow with its square,
and the histograms' memory is 20 KB a dimension."""
MIN_COVERED = 256
"""Number of dimensions that they always cover."""
LOWEST = 32
"""Number of them that have least information, for comparison; the others have most."""
FULL_SECONDS = 0.5
"""Seconds of the processor that they may take on a training thread, as estimated from the light statistics of the same
rows. What runs beside changes neither of the two, so that it does not change what is covered."""
FIRST_SECONDS = 0.25
"""Seconds of the processor in the light statistics of the first evaluation above which it leaves the rest to later."""
TIMES_LIGHT, TIMES_LIGHT_ROWS = 5.0, 4000.0
"""The estimate: a dimension takes TIMES_LIGHT + TIMES_LIGHT_ROWS / rows times as long as in the light statistics."""


class Covered(NamedTuple):
    """The dimensions of a wide latent that a full snapshot covers."""

    dimensions: NDArray[np.int64]
    """Their numbers, in order."""
    mean: F32
    """Their rows of the window."""

    def spread(self, values: Array, dimensions: int) -> Array:
        """Return values of the covered dimensions as those of all: NaN in the others."""
        out = np.full(dimensions, np.nan)
        out[self.dimensions] = values
        return out


def choose_covered(information: Array, seconds: float, rows: int) -> NDArray[np.int64] | None:
    """Return the dimensions that a full snapshot covers on a training thread, in order; None for all.

    `seconds` is what the light statistics of all dimensions took. The number is a power of two, so that small
    differences of the time do not change it. Numbers of published criteria are computed for all, in as much time again.
    """
    dimensions, most = len(information), MAX_COVERED
    each = max(seconds, 1e-9) / dimensions * (TIMES_LIGHT + TIMES_LIGHT_ROWS / max(rows, 1))
    while most > MIN_COVERED and min(most, dimensions) * each > FULL_SECONDS - seconds:
        most //= 2
    if most >= dimensions:
        return None
    order = np.argsort(-np.nan_to_num(information, nan=-np.inf), kind="stable")
    return np.sort(np.append(order[: most - LOWEST], order[dimensions - LOWEST :]))


def full_statistics(
    mean: F32,
    variance: F32 | None,
    group: NDArray[np.int32] | None,
    mantissa: int,
    prior_mean: Array,
    prior_var: Array,
    statistics: dict[str, Any],
    codes: F32 | None = None,
    covered: Covered | None = None,
    entropies: bool = False,
) -> dict[str, Any]:
    """Compute the rest of the names of `Snapshot` from the window and its light `statistics`.

    codes: the means in the scale in which a code is resolved, if that is another one. covered: the dimensions that have
    more than the numbers of published criteria, NaN in the others; None for all. entropies: True if all dimensions have
    the entropy of the mean nevertheless, which a criterion reads.
    """
    rows = statistics["rows"]
    result: dict[str, Any] = dict(
        zip(published.NAMES, published.baselines(mean, variance, rows, prior_mean, prior_var), strict=True)
    )
    cluster = None if group is None else group.astype(np.int64)
    names = ("entropy_knn", "entropy_knn_se", "ties")
    if covered is None or entropies:
        near = _of_finite_rows(mean, variance, cluster, mantissa, rows)
    else:
        some = covered.dimensions
        spread = variance[some] if variance is not None and (rows[some] < mean.shape[1]).any() else None
        near = np.full((len(names), len(rows)), np.nan)
        near[:, some] = _of_finite_rows(covered.mean, spread, cluster, mantissa, rows[some])
    result |= dict(zip(names, near, strict=True))
    result["entropy_knn_se"] = result["entropy_knn_se"] * math.sqrt(statistics["repeats"])
    if covered is None:
        return result | joint_statistics(mean, variance is not None, statistics | result, cluster, codes)
    some = covered.dimensions
    numbers = {name: value[some] if np.ndim(value) else value for name, value in (statistics | result).items()}
    codes = None if codes is None or codes is mean else codes[some]
    joint = joint_statistics(covered.mean, variance is not None, numbers, cluster, codes)
    return result | {name: covered.spread(v, len(rows)) if np.ndim(v) else v for name, v in joint.items()}


def _of_finite_rows(
    mean: F32, variance: F32 | None, cluster: NDArray[np.int64] | None, mantissa: int, rows: Array
) -> NDArray[np.float64]:
    """Estimate the entropy of the finite rows; each dimension has `rows` (D,) of them."""
    if variance is not None and (rows < mean.shape[1]).any():
        mean = np.where(np.isfinite(variance), mean, np.float32(np.nan))
    results = np.array(knn_1d.entropy(mean, cluster, mantissa=mantissa))
    results[:, rows < MIN_FINITE_ROWS] = np.nan
    return results
