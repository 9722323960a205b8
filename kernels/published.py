"""Window statistics that only published criteria need: `polar_monitor.criteria` lists the criteria.

Inputs are float32 (D, n): the posterior's mean μ, variance σ² and log σ² for every row. The statistics of a dimension
are the largest |μ|; the Shannon entropy of μ over 30 equal bins between its least and largest value; the mean of σ; and
the shares of rows with σ < ½, with |σ - 1| and |μ| both at most 0.1, and with KL(N(μ, σ²) ‖ prior) < 0.01 nats.

A row that is not finite in a dimension is left out of that dimension. The
statistics have no standard errors, because the criteria use none.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import helper, kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Ints = NDArray[np.int64]

NAMES = (
    "mean_largest",
    "entropy_minmax",
    "posterior_deviation",
    "share_narrow",
    "share_standard",
    "share_collapsed",
)
"""Rows of `baselines`' result, by the names of `Snapshot`; without a variance all but the first two are NaN."""
BINS = 30
NARROW, STANDARD, COLLAPSED = 0.5, 0.1, 0.01
"""Upper limits of σ, of |σ - 1| and |μ|, and of KL in nats."""
AT_ONCE = 2**18
"""Numbers worked on at once, so that no copy is as large as the window."""

ROWS = "float32[:, ::1]"


@helper
def _is_finite(mean, variance, d, i):
    return abs(mean[d, i]) < np.inf and (variance.shape[0] == 0 or 0.0 < variance[d, i] < np.inf)


@kernel(f"void({ROWS}, {ROWS}, int64[::1], float64[:, ::1])")
def _finite_ends(mean, variance, which, ends):
    """Fill columns of ends (3, D) for the dimensions `which`: the least and largest μ, and the sum of σ.

    Only finite rows count. variance is (D, n), or (0, n) if there is none.
    """
    for k in range(which.shape[0]):
        d = which[k]
        low, high, total = np.inf, -np.inf, 0.0
        for i in range(mean.shape[1]):
            if _is_finite(mean, variance, d, i):
                low, high = min(low, np.float64(mean[d, i])), max(high, np.float64(mean[d, i]))
                total += math.sqrt(variance[d, i]) if variance.shape[0] > 0 else 0.0
        ends[0, d], ends[1, d], ends[2, d] = low, high, total


@kernel(
    f"void({ROWS}, {ROWS}, {ROWS}, boolean[::1], float64[::1], float64[::1], float64[:, ::1], int64[:, ::1],"
    "int64[:, ::1])"
)
def _counts(mean, variance, log_variance, spoiled, low, scale, prior, bins, near):
    """Add to bins (D, 30), and to near (D, 3): the rows that are narrow, standard and collapsed.

    A row that is not finite counts nowhere; the `spoiled` dimensions (D,) may have some. low (D,): left edge of the
    first bin. scale (D,): number of bins in one unit of μ. prior (2, D): mean and variance of the prior. variance and
    log_variance are (D, n), or (0, n) if there is none.
    """
    last = bins.shape[1] - 1
    for d in range(mean.shape[0]):
        left, by, counts = low[d], scale[d], bins[d]
        for i in range(mean.shape[1]):
            if not spoiled[d] or _is_finite(mean, variance, d, i):
                place = int((np.float64(mean[d, i]) - left) * by)
                counts[place - (place > last)] += 1  # no branch, which an atom at the end would make hard to predict
    least, most = (1.0 - STANDARD) ** 2, (1.0 + STANDARD) ** 2
    for d in range(variance.shape[0]):
        centre, precision = prior[0, d], 1.0 / prior[1, d]
        cut = 2.0 * COLLAPSED + 1.0 - math.log(prior[1, d])
        narrow = standard = collapsed = 0
        for i in range(variance.shape[1]):
            x, s2 = np.float64(mean[d, i]), np.float64(variance[d, i])
            apart = x - centre
            finite = not spoiled[d] or _is_finite(mean, variance, d, i)
            narrow += int((s2 < NARROW * NARROW) & finite)
            standard += int((abs(x) <= STANDARD) & (s2 >= least) & (s2 <= most) & finite)
            collapsed += int(((apart * apart + s2) * precision - np.float64(log_variance[d, i]) < cut) & finite)
        near[d, 0], near[d, 1], near[d, 2] = narrow, standard, collapsed


def baselines(mean: F32, variance: F32 | None, rows: F64, prior_mean: F64, prior_var: F64) -> F64:
    """Compute the statistics of the rows, float64 (6, D), in the order of `NAMES`.

    mean, variance: float32 (D, n), C-contiguous. rows: number of finite rows, (D,). prior_mean, prior_var: float64
    (D,). NaN where no row is finite.
    """
    dimensions, n = mean.shape
    statistics = np.full((len(NAMES), dimensions), np.nan)
    if n == 0:
        return statistics
    spoiled, spread = rows < n, np.zeros((0, n), np.float32) if variance is None else variance
    ends = np.empty((3, dimensions))
    bins, near = np.zeros((dimensions, BINS), np.int64), np.zeros((dimensions, 3), np.int64)
    with np.errstate(all="ignore"):
        ends[0], ends[1] = np.fmin.reduce(mean, axis=1), np.fmax.reduce(mean, axis=1)
        if spoiled.any():
            _finite_ends(mean, spread, np.flatnonzero(spoiled), ends)
        low, high, deviations = ends
        width = high - low
        flat = ~(width > 1e-8 + 1e-5 * np.abs(high))  # as torch.isclose(low, high); also without a finite row
        low, scale = np.where(flat, 0.0, low), np.where(flat, 0.0, BINS / np.where(flat, 1.0, width))
        total = _count_blocks(mean, variance, spoiled, low, scale, np.stack([prior_mean, prior_var]), bins, near)
        p = bins / rows[:, None]
        statistics[0] = np.maximum(np.abs(ends[0]), np.abs(high))
        statistics[1] = -np.where(p > 0.0, p * np.log(p), 0.0).sum(axis=1)
        if variance is not None:
            statistics[2], statistics[3:] = np.where(spoiled, deviations, total) / rows, near.T / rows
    statistics[:, rows == 0] = np.nan
    return statistics


def _count_blocks(
    mean: F32,
    variance: F32 | None,
    spoiled: NDArray[np.bool_],
    low: F64,
    scale: F64,
    prior: F64,
    bins: NDArray[np.int64],
    near: NDArray[np.int64],
) -> F64:
    """Fill bins and near, see `_counts`; return the sum of σ (D,), which is right where all rows are finite."""
    dimensions, n = mean.shape
    total, size = np.empty(dimensions), min(max(AT_ONCE // n, 1), dimensions)
    if variance is None:
        none = np.zeros((0, n), np.float32)
        _counts(mean, none, none, spoiled, low, scale, prior, bins, near)
        return total
    room = np.empty((size, n), np.float32)
    for start in range(0, dimensions, size):
        part = slice(start, start + size)
        spread, ends = variance[part], np.ascontiguousarray(prior[:, part])
        result = room[: len(spread)]
        np.log(spread, out=result)
        _counts(mean[part], spread, result, spoiled[part], low[part], scale[part], ends, bins[part], near[part])
        total[part] = np.sqrt(spread, out=result).sum(axis=1)
    return total
