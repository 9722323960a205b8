"""Depth of the valley between two peaks of the histogram of log σ²: it shows two kinds of inputs.

Inputs are float32 (D, n): the posterior's mean μ and log σ² for every row. Bins of σ² / T are a factor of 2^¼ wide and
centred at powers of 2^¼, T = Var μ + mean σ², so that nothing changes when a dimension is rescaled. A window is three
neighbouring bins. Every window is tried as the valley. Its low peak is the fullest window on its left with its centre
at T / 2 or below. Its high peak is the fullest window on its right with its centre at T / √2 or above. On each side
there must surely be a given share of the rows. `valley` is the number of rows in the valley, divided by the number in
the smaller peak, at most 1. It belongs to the window for which this ratio plus two standard errors is smallest, and is
1 if no valley is possible.

Its standard error treats the counts as independent Poisson counts. It assumes one row more in the valley than there
is, because an empty valley does not prove that no row can be there. Rows of one cluster count together. A row that is
not finite in a dimension is left out of that dimension.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ._jit import kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]

PER_NAT = 4.0 / math.log(2.0)
"""Number of bins in one unit of log σ²."""
CENTRE, BINS = 80, 105
"""Bin around σ² = T, and number of bins: from T / 2^20 to 2^6 T, which at most 1 row in 64 can exceed."""
Z_SHARE = 1.96
"""Standard errors by which either side must exceed its share."""
WINDOW_BINS = 3
"""Number of bins in a window."""
LOW, HIGH = CENTRE - 4, CENTRE - 2
"""Bins at T / 2 and T / √2: the last centre of a low peak, and the first centre of a high peak."""
AT_ONCE = 2**14
"""Numbers that NumPy works on at once."""


@kernel("void(float32[:, ::1], float64[::1], int64[:, ::1])")
def _count(log_variance, log_total, counts):
    """Add the rows of log_variance (D, n) to counts (D, BINS); NaN counts nowhere. log_total (D,) is log T."""
    last = counts.shape[1] - 1
    for d in range(log_variance.shape[0]):
        row, centre = counts[d], CENTRE + 0.5 - log_total[d] * PER_NAT
        for i in range(log_variance.shape[1]):
            place = np.float64(log_variance[d, i]) * PER_NAT + centre
            if place == place:
                row[int(min(max(place, 0.0), last))] += 1


def valley(
    mean: F32, log_variance: F32, rows: F64, total: F64, cluster: Ids, share: float, which: Mask
) -> tuple[F64, F64]:
    """Return the valley of every dimension and its standard error, (D,) each.

    mean, log_variance: float32 (D, n), C-contiguous. rows: number of finite rows, (D,). total: T, float64 (D,).
    cluster: int64 (n,), non-decreasing ids of the rows that belong together; empty if every row is its own cluster.
    share: smallest share of the rows that is surely on each side. which: bool (D,), the dimensions to search; the
    others have no valley. Both results are NaN without a finite row; the error is NaN for one cluster.
    """
    n = mean.shape[1]
    depth, error = np.where(rows > 0, 1.0, np.nan), np.where(rows > 1, 0.0, np.nan)
    look = which & (rows > 1)
    plain = look & (rows == n) & (not cluster.size)
    for some in _parts(plain, AT_ONCE // BINS):
        depth[some], error[some], _ = _deepest(_counts(log_variance[some], total[some]), share, 1.0)
    for some in _parts(look & ~plain, AT_ONCE // max(n, 1)):
        depth[some], error[some] = _dependent(mean[some], log_variance[some], total[some], cluster, share)
    return np.minimum(depth, 1.0), error


def _parts(which: Mask, size: int) -> Iterator[Ids]:
    """Yield these dimensions, some at a time."""
    left = np.flatnonzero(which)
    for start in range(0, len(left), max(size, 1)):
        yield left[start : start + max(size, 1)]


def _counts(log_variance: F32, total: F64) -> Ids:
    counts = np.zeros((len(log_variance), BINS), np.int64)
    _count(log_variance, np.log(total), counts)
    return counts


def _deepest(counts: Ids, share: float, size: float | F64) -> tuple[F64, F64, Ids]:
    """Return the valley of counts (D, BINS), its error, and the first bins (2, D) of valley and smaller peak.

    size: number of dependent rows that count as one.
    """
    below = np.concatenate([np.zeros((len(counts), 1), np.int64), np.cumsum(counts, axis=1)], axis=1)
    full = (
        below[:, WINDOW_BINS:] - below[:, :-WINDOW_BINS]
    )  # window k has the bins k, k + 1 and k + 2, and is centred at k + 1
    low, high = full.copy(), full.copy()
    low[:, LOW:], high[:, : HIGH - 1] = 0, 0
    before, after = np.zeros_like(full), np.zeros_like(full)
    before[:, WINDOW_BINS:] = np.maximum.accumulate(low, axis=1)[:, :-WINDOW_BINS]
    after[:, :-WINDOW_BINS] = np.maximum.accumulate(high[:, ::-1], axis=1)[:, ::-1][:, WINDOW_BINS:]
    peak, rows = np.minimum(before, after), below[:, -1:]
    size = np.broadcast_to(size, len(counts))[:, None]
    least = rows * share + Z_SHARE * np.sqrt(rows * size * share * (1.0 - share))
    possible = (peak > 0) & (below[:, :-WINDOW_BINS] >= least) & (rows - below[:, WINDOW_BINS:] >= least)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = full / peak
        error = np.sqrt(size * (full + size + depth * depth * peak)) / peak
        bound = np.where(possible, depth + 2.0 * error, np.inf)
    k = np.argmin(bound, axis=1)[:, None]
    none = ~np.isfinite(np.take_along_axis(bound, k, 1)[:, 0])
    depth, error = (
        np.where(none, of_none, np.take_along_axis(x, k, 1)[:, 0]) for x, of_none in ((depth, 1), (error, 0))
    )
    return depth, error, np.stack([k[:, 0], _smaller(low, high, k, before, after)])


def _smaller(low: Ids, high: Ids, k: Ids, before: Ids, after: Ids) -> Ids:
    """Return the first bin of the smaller peak of the valleys k (D, 1)."""
    left = np.take_along_axis(before, k, 1) <= np.take_along_axis(after, k, 1)
    windows = np.arange(low.shape[1])
    there = np.where(
        left, np.where(windows <= k - WINDOW_BINS, low, -1), np.where(windows >= k + WINDOW_BINS, high, -1)
    )
    return np.asarray(np.argmax(there, axis=1))


def _dependent(mean: F32, log_variance: F32, total: F64, cluster: Ids, share: float) -> tuple[F64, F64]:
    """Return the valley and its error if rows are clustered or not finite."""
    finite = np.isfinite(mean) & np.isfinite(log_variance)
    log = np.where(finite, log_variance, np.float32(np.nan))
    counts = _counts(log, total)
    rows = finite.sum(axis=1)
    starts = np.flatnonzero(np.diff(cluster, prepend=cluster[:1] - 1)) if cluster.size else np.arange(mean.shape[1])
    clusters = np.count_nonzero(np.add.reduceat(finite, starts, axis=1, dtype=np.int64), axis=1)
    size = rows / clusters
    depth, error, (k, peak) = _deepest(counts, share, size)
    place = log.astype(np.float64) * PER_NAT + (CENTRE + 0.5 - np.log(total) * PER_NAT)[:, None]
    place = np.floor(np.clip(place, 0, BINS - 1))  # NaN stays, and lies in no window
    in_valley, in_peak = (((place >= at[:, None]) & (place < at[:, None] + WINDOW_BINS)) for at in (k, peak))
    influence = np.add.reduceat(in_valley - depth[:, None] * in_peak, starts, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        summed = np.sqrt(np.square(influence).sum(axis=1) + size * size) / in_peak.sum(axis=1)
    error = np.where(error > 0, summed, 0.0)
    return depth, np.where(clusters > 1, error, np.nan)
