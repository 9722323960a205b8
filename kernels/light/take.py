"""New rows (n, D), as a host gives them, go to the columns of a window (D, W), and are checked on their way."""

import numpy as np

from .._jit import helper, kernel

UNROLLED = 4
"""Dimensions that are moved at once: of 8 or more the compiler makes scattered stores, which are slower."""
TILE = 256
"""Rows that are moved at once: more do not stay in the cache until their last dimensions are moved."""
INFINITE = 0x7F800000
"""Bits of the float32 infinity: those of a finite number are less, without the sign."""
MIN_VARIANCE = 0x00800000
"""Bits of the least variance that is kept, the smallest normal float32: those of larger ones are more."""
NEGATIVE_ZERO, NOT_A_NUMBER = -0x80000000, 0x7FC00000
"""Bits of the float32 numbers -0 and NaN."""
ROWS = "float32[:, ::1]"


@helper
def _move(rows, out, start, count, to, ends):
    """Write `count` rows from `start` on to the columns of out from `to` on.

    ends (2,) is updated by the least of the numbers as they are, and the largest without the sign. They are read again
    as soon as they are written, since the columns displace each other from the cache.
    """
    dimensions, sign, least, largest = rows.shape[1], np.int32(0x7FFFFFFF), ends[0], ends[1]
    for d in range(0, dimensions, UNROLLED):
        few = min(UNROLLED, dimensions - d)
        for i in range(count if few == UNROLLED else 0):
            for k in range(UNROLLED):
                out[d + k, to + i] = rows[start + i, d + k]
        for k in range(few if few < UNROLLED else 0):
            for i in range(count):
                out[d + k, to + i] = rows[start + i, d + k]
        for k in range(few):
            some = out[d + k, to : to + count]
            for i in range(count):
                number, size = some[i], np.int32(some[i] & sign)
                least = number if number < least else least
                largest = size if size > largest else largest
    ends[0], ends[1] = least, largest


@kernel(f"boolean({ROWS}, {ROWS}, {ROWS}, {ROWS}, int64, int64, int64)")
def take(mean, variance, to_mean, to_variance, start, count, place):
    """Write `count` rows of mean and variance (n, D), from `start` on, to the columns from `place` on.

    Without a variance both are (0, 0). Return True if all rows are finite and no variance is below the least one.
    """
    means, to_means = mean.view(np.int32), to_mean.view(np.int32)
    variances, to_variances = variance.view(np.int32), to_variance.view(np.int32)
    ends, spread = np.empty(2, np.int32), np.empty(2, np.int32)
    ends[0] = spread[0] = INFINITE - 1
    ends[1] = spread[1] = 0
    for begin in range(0, count, TILE):
        some = min(TILE, count - begin)
        _move(means, to_means, start + begin, some, place + begin, ends)
        if variance.shape[0] > 0:
            _move(variances, to_variances, start + begin, some, place + begin, spread)
    return ends[1] < INFINITE and spread[1] < INFINITE and spread[0] >= MIN_VARIANCE


@kernel(f"void({ROWS}, {ROWS}, int64, int64, int64[::1])")
def clean(mean, variance, start, stop, non_finite):
    """Clean the columns from `start` to `stop`: a negative variance becomes NaN, one below the least one becomes that.

    Both are (D, W); without a variance its are (0, 0). non_finite (D,) grows by the number of rows whose mean or
    variance is NaN or infinite; a negative variance does not count.
    """
    sign, means, variances = np.int32(0x7FFFFFFF), mean.view(np.int32), variance.view(np.int32)
    for d in range(means.shape[0]):
        for i in range(start, stop):
            size = np.int32(means[d, i] & sign)
            if variances.shape[0] > 0:
                number = variances[d, i]
                size = max(size, np.int32(number & sign))
                if number < 0 and number != NEGATIVE_ZERO:
                    variances[d, i] = NOT_A_NUMBER
                elif number < MIN_VARIANCE:
                    variances[d, i] = MIN_VARIANCE
            non_finite[d] += int(size >= INFINITE)
