"""Depth of the valley between two peaks of the histogram of log σ²: it shows two kinds of inputs.

Inputs are float32 (D, n): the posterior's mean μ and variance σ² for every row. Bins of σ² / T are a factor of 2^¼ wide
and centred at powers of 2^¼, T = Var μ + mean σ², so that nothing changes when a dimension is rescaled. A window is
three neighbouring bins. Every window is tried as the valley. Its low peak is the fullest window on its left with its
centre at T / 2 or below. Its high peak is the fullest window on its right with its centre at T / √2 or above. On each
side there must surely be a given share of the rows. `valley` is the number of rows in the valley, divided by the number
in the smaller peak, at most 1. It belongs to the window for which this ratio plus two standard errors is smallest, and
is 1 if no valley is possible.

Its standard error treats the counts as independent Poisson counts. It assumes one row more in the valley than there
is, because an empty valley does not prove that no row can be there. Rows of one cluster count together. A row that is
not finite in a dimension is left out of that dimension.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import helper, kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

PER_OCTAVE = 4
"""Number of bins in a factor of two."""
CENTRE, BINS = 80, 105
"""Bin around σ² = T, and number of bins: from T / 2^20 to 2^6 T, which at most 1 row in 64 can exceed."""
Z_SHARE = 1.96
"""Standard errors by which either side must exceed its share."""
WINDOW_BINS = 3
"""Number of bins in a window."""
LOW, HIGH = CENTRE - 4, CENTRE - 2
"""Bins at T / 2 and T / √2: the last centre of a low peak, and the first centre of a high peak."""
HALF_BIN = 2.0 ** (0.5 / PER_OCTAVE)


@helper
def _count(mean, variance, total, group, place, below):
    """Fill place (n,) with the bin of each row, -1 if it is not finite, and below (BINS + 1,) with cumulative counts.

    Return the number of inputs that have a finite row.
    """
    below[:] = 0
    scale, inputs, newest = HALF_BIN / total, 0, -1
    quarters = 2.0**0.25 / 2.0, 2.0**0.5 / 2.0, 2.0**0.75 / 2.0
    for i in range(mean.shape[0]):
        ratio = np.float64(variance[i]) * scale
        place[i] = -1
        if math.isfinite(mean[i]) and 0.0 < ratio < np.inf:
            mantissa, exponent = math.frexp(ratio)
            bin_ = PER_OCTAVE * (int(exponent) - 1) + CENTRE
            bin_ += int(mantissa >= quarters[0]) + int(mantissa >= quarters[1]) + int(mantissa >= quarters[2])
            place[i] = min(max(bin_, 0), BINS - 1)
            below[place[i] + 1] += 1
            if group.shape[0] == 0 or group[i] != newest:
                inputs += 1
                newest = group[i] if group.shape[0] > 0 else newest
    for b in range(BINS):
        below[b + 1] += below[b]
    return inputs


@helper
def _fullest(below, first, last, stop):
    """Return the number of rows in the fullest window of the first ones of [first, min(last, stop)), and the window."""
    rows, window = 0, -1
    for k in range(first, min(last, stop)):
        if below[k + WINDOW_BINS] - below[k] > rows:
            rows, window = below[k + WINDOW_BINS] - below[k], k
    return rows, window


@helper
def _deepest(below, share, size, out):
    """Put the deepest valley and its error into out (2,). Return the windows of the valley and of its smaller peak.

    size: number of dependent rows that count as one.
    """
    rows, windows = below[BINS], BINS + 1 - WINDOW_BINS
    least = rows * share + Z_SHARE * math.sqrt(rows * size * share * (1.0 - share))
    best, valley, peak_window = np.inf, -1, -1
    out[0], out[1] = 1.0, 0.0
    for k in range(WINDOW_BINS, windows - WINDOW_BINS):
        if below[k] < least or rows - below[k + WINDOW_BINS] < least:
            continue
        before, left = _fullest(below, np.int64(0), np.int64(LOW), k - WINDOW_BINS + 1)
        after, right = _fullest(below, max(HIGH - 1, k + WINDOW_BINS), windows, windows)
        peak = min(before, after)
        if peak == 0:
            continue
        full = below[k + WINDOW_BINS] - below[k]
        depth = full / peak
        error = math.sqrt(size * (full + size + depth * depth * peak)) / peak
        if depth + 2.0 * error < best:
            best, valley, peak_window = depth + 2.0 * error, k, left if before <= after else right
            out[0], out[1] = depth, error
    return valley, peak_window


@helper
def _error_of_inputs(place, group, valley, peak, depth, size):
    """Return the error of the depth where rows of one `group` (n,) belong to one input."""
    square = total = influence = 0.0
    for i in range(place.shape[0]):
        influence += int(valley <= place[i] < valley + WINDOW_BINS)
        if peak <= place[i] < peak + WINDOW_BINS:
            influence -= depth
            total += 1.0
        if i + 1 == place.shape[0] or group[i + 1] != group[i]:
            square += influence * influence
            influence = 0.0
    return math.sqrt(square + size * size) / total


@kernel(
    "void(float32[:, ::1], float32[:, ::1], float64[::1], int32[::1], float64, int64[::1], int32[::1], float64[:, ::1])"
)
def deepest_valleys(mean, variance, total, group, share, which, place, out):
    """Fill out (k, 2) with the valley and its error of the dimensions `which` (k,); place (n,) is work space."""
    below = np.empty(BINS + 1, np.int64)
    for w in range(which.shape[0]):
        d, result = which[w], out[w]
        inputs = _count(mean[d], variance[d], total[d], group, place, below)
        if below[BINS] == 0:
            result[:] = np.nan
            continue
        size = below[BINS] / inputs
        valley, peak = _deepest(below, share, size, result)
        if inputs < 2:
            result[1] = np.nan
        elif group.shape[0] > 0 and valley >= 0:
            result[1] = _error_of_inputs(place, group, valley, peak, result[0], size)
        result[0] = min(result[0], 1.0)


def valley(
    mean: F32, variance: F32, total: F64, group: NDArray[np.int32], share: float, which: NDArray[np.int64]
) -> F64:
    """Return the valley and its standard error of the dimensions `which` (k,), float64 (2, k).

    mean, variance: float32 (D, n), C-contiguous. total: T, float64 (D,). group: int32 (n,), the input that a row
    belongs to, rows of one side by side; empty if every row is its own. share: smallest share of the rows that is
    surely on each side. Both are NaN without a finite row; the error is NaN for one input.
    """
    out = np.empty((which.size, 2))
    deepest_valleys(
        mean, variance, np.ascontiguousarray(total), group, share, which, np.empty(mean.shape[1], np.int32), out
    )
    return out.T
