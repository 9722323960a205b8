"""Valleys of the histogram of log σ²: they show two kinds of inputs.

Inputs are float32 (D, n): the posterior's mean μ and variance σ² for every row. Bins of σ² / T are a factor of 2^¼ wide
and centred at powers of 2^¼, T = Var μ + mean σ², so that nothing changes when a dimension is rescaled. A window is
three neighbouring bins. Every window is tried as the valley. Its low peak is the fullest window on its left with its
centre at T / 2 or below. Its high peak is the fullest window on its right with its centre at T / √2 or above. On each
side there must surely be a given share of the rows. `valley` is the number of rows in the valley, divided by the number
in the smaller peak, at most 1. It belongs to the window for which this ratio plus two standard errors is smallest, and
is 1 if no valley is possible.

A valley that is nearly empty shows two kinds wherever it lies. A gap is a window of seven bins: a valley a factor of 4
wide has seven whole bins, whatever its place. Its depth is the number of rows in it, divided by the number on the side
that has fewer; on each side there must surely be the given share. It is empty if its depth is surely at most 0.1, so
stray rows do not matter. Empty windows that follow each other are one gap, and of several gaps the uppermost counts:
above it are the inputs that use the dimension least. `upper_kind` is the geometric mean of their σ² / T, NaN if no gap
is empty.

Standard errors of depths treat the counts as independent Poisson counts. They assume one row more in the valley than
there is, because an empty valley does not prove that no row can be there. That of `upper_kind` is the delta method's.
Rows of one cluster count together. A row that is not finite in a dimension is left out of that dimension.
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
GAP_BINS = 7
"""Number of bins in a gap."""
MAX_EMPTY = 0.1
"""Largest depth of an empty gap."""
Z_EMPTY = 3.0
"""Standard errors by which a gap is surely empty: it is one of some ninety that are tried."""
HALF_BIN = 2.0 ** (0.5 / PER_OCTAVE)
DIGITS, BIAS, INFINITE = 1 << 23, 126, 0x7F800000
"""Mantissas of a float32, the exponent field of numbers from 0.5 to 1, and the bits of inf."""


@helper
def _bins(mean, bits, total, place):
    """Fill place (n,) with the bin of each row, -1 if it is not finite. bits (n,): σ² as the bits of its float32.

    Four edges in a factor of two repeat at all others. Exponents and mantissas are compared as whole numbers, which
    runs on vectors.
    """
    edges, exponents = np.empty(PER_OCTAVE, np.int32), 0
    for k in range(PER_OCTAVE):
        mantissa, exponent = math.frexp(total / HALF_BIN * 2.0 ** (k / PER_OCTAVE))
        edges[k] = math.ceil((2.0 * mantissa - 1.0) * DIGITS)
        exponents += exponent
    first, second, third, fourth = edges[0], edges[1], edges[2], edges[3]
    start = np.int32(CENTRE + PER_OCTAVE - 1 - exponents - PER_OCTAVE * BIAS)
    last, digits, size, infinite = np.int32(BINS - 1), np.int32(23), np.int32(PER_OCTAVE), np.int32(INFINITE)
    for i in range(bits.shape[0]):
        m = np.int32(bits[i] & np.int32(DIGITS - 1))
        below = np.int32(m < first) + np.int32(m < second) + np.int32(m < third) + np.int32(m < fourth)
        bin_ = np.int32(start + np.int32(bits[i] >> digits) * size - below)
        bin_ = min(max(bin_, np.int32(0)), last)
        finite = (abs(mean[i]) < np.float32(np.inf)) & (bits[i] > 0) & (bits[i] < infinite)
        place[i] = bin_ if finite else np.int32(-1)


@helper
def _count(place, group, below):
    """Fill below (BINS + 1,) with cumulative counts of the rows by their bin, place (n,).

    Return the number of inputs that have a finite row.
    """
    below[:] = 0
    inputs, newest = 0, -1
    for i in range(place.shape[0]):
        if place[i] >= 0:
            below[place[i] + 1] += 1
            if group.shape[0] > 0 and group[i] != newest:
                inputs += 1
                newest = group[i]
    for b in range(BINS):
        below[b + 1] += below[b]
    return inputs if group.shape[0] > 0 else below[BINS]


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


@helper
def _uppermost_gap(below, share, size, repeats):
    """Return the first window of the emptiest part of the uppermost empty gap; -1 for none."""
    rows, gap, best, last = below[BINS], -1, np.inf, -2
    least = rows * share + Z_SHARE * math.sqrt(rows * size * share * (1.0 - share))
    for k in range(BINS + 1 - GAP_BINS):
        side, full = min(below[k], rows - below[k + GAP_BINS]), below[k + GAP_BINS] - below[k]
        if side < least or side == 0 or full > MAX_EMPTY * side:
            continue
        depth = full / side
        error = math.sqrt(repeats * size * (full + size + depth * depth * side)) / side
        if depth + Z_EMPTY * error > MAX_EMPTY:
            continue
        if last < k - 1 or depth + Z_EMPTY * error < best:
            best, gap = depth + Z_EMPTY * error, k
        last = k
    return gap


@helper
def _upper_kind(mean, variance, total, place, group, first, out):
    """Put the geometric mean of σ² / T of the rows from bin `first` on, and its error, into out (2,)."""
    rows = above = 0
    center = log = 0.0
    for i in range(place.shape[0]):
        if place[i] >= 0:
            rows += 1
            center += mean[i]
            if place[i] >= first:
                above += 1
                log += math.log(np.float64(variance[i]) / total)
    center, log = center / rows, log / above
    square = influence = 0.0
    for i in range(place.shape[0]):
        if place[i] >= 0:
            x = np.float64(mean[i]) - center
            influence -= ((x * x + variance[i]) / total - 1.0) / rows
            if place[i] >= first:
                influence += (math.log(np.float64(variance[i]) / total) - log) / above
        if group.shape[0] == 0 or i + 1 == place.shape[0] or group[i + 1] != group[i]:
            square += influence * influence
            influence = 0.0
    out[0] = math.exp(log)
    out[1] = out[0] * math.sqrt(square)


@kernel(
    "void(float32[:, ::1], float32[:, ::1], int32[:, ::1], float64[::1], int32[::1], float64, float64, int64[::1],"
    "int32[::1], float64[:, ::1])"
)
def deepest_valleys(mean, variance, bits, total, group, share, repeats, which, place, out):
    """Fill out (k, 4) with the valley, the upper kind and their errors of the dimensions `which` (k,).

    bits: the variance as int32. Each input occurs `repeats` times, which only an empty gap takes into account. place
    (n,) is work space.
    """
    below = np.empty(BINS + 1, np.int64)
    for w in range(which.shape[0]):
        d, result = which[w], out[w]
        result[:] = np.nan
        if not 0.0 < total[d] < np.inf:
            continue
        _bins(mean[d], bits[d], total[d], place)
        inputs = _count(place, group, below)
        if below[BINS] == 0:
            continue
        size = below[BINS] / inputs
        valley, peak = _deepest(below, share, size, result)
        if inputs < 2:
            result[1] = np.nan
        elif group.shape[0] > 0 and valley >= 0:
            result[1] = _error_of_inputs(place, group, valley, peak, result[0], size)
        result[0] = min(result[0], 1.0)
        gap = _uppermost_gap(below, share, size, repeats)
        if gap >= 0:
            _upper_kind(mean[d], variance[d], total[d], place, group, gap + GAP_BINS, result[2:])


def valley(
    mean: F32,
    variance: F32,
    total: F64,
    group: NDArray[np.int32],
    share: float,
    which: NDArray[np.int64],
    repeats: float = 1.0,
) -> F64:
    """Return the valley, the upper kind and their errors of the dimensions `which` (k,), float64 (4, k).

    mean, variance: float32 (D, n), C-contiguous. total: T, float64 (D,). group: int32 (n,), the input that a row
    belongs to, rows of one side by side; empty if every row is its own. share: smallest share of the rows that is
    surely on each side. All are NaN without a finite row; the error of the valley is NaN for one input.
    """
    out = np.empty((which.size, 4))
    place = np.empty(mean.shape[1], np.int32)
    bits, total = variance.view(np.int32), np.ascontiguousarray(total)
    deepest_valleys(mean, variance, bits, total, group, share, repeats, which, place, out)
    return out.T
