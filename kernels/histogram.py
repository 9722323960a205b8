"""Online histogram of every dimension on a dyadic grid: any order and any split of the rows gives the same bits.

Bin j covers [j·2^e, (j+1)·2^e) and lives in `counts[d, j mod B]`, B a power of two. Scaling by a power of two and
floor are exact, and going from e to e + 1 is j -> floor(j / 2), so binning commutes with widening. The K smallest and
the K largest values (`extremes`, sorted) are kept apart from the bins, so K outliers on either side cannot widen the
grid. `exponent` is the least e, not below the rounding unit of the largest binned value, for which all binned values
fall into B neighbouring bins. Which values are binned, and hence all of the state, depends on the rows as a set.

State, changed in place (D dimensions, all zeros but low = +inf, high = -inf and exponent = FINEST when empty):
counts (D, B) int64; exponent (D,) int64; low, high (D,) float64, the least and the largest binned value; extremes
(D, 2K) float32, of which min(finite, 2K) are in use; tallies (4, D) int64 of finite, NaN, -inf and +inf values.
"""

import math

import numpy as np

from ._jit import helper, kernel

FINEST = -149
"""Exponent of the smallest float32: no grid needs to be finer."""
FAR = 16
"""An extreme value is an outlier when it is further from the binned values than so many times their range."""
LEAST = 256
"""Finite values below which nothing is called an outlier."""
LOG = np.log(np.maximum(np.arange(1024.0), 1.0))
"""Logarithms of the usual counts; a log costs more than all else there is to do for a bin."""
STATE = "int64[:, ::1], int64[::1], float64[::1], float64[::1], float32[:, ::1], int64[:, ::1]"


@helper
def _power(e):
    """2^e, exactly."""
    return math.ldexp(1.0, int(e))


@helper
def _bin(value, e):
    """The number of the bin that holds `value`."""
    return math.floor(value * _power(-e))


@helper
def _unit(value):
    """Exponent of the distance from the float32 |value| to the next."""
    e = math.frexp(value)[1] - 24
    return FINEST if value == 0.0 or e < FINEST else e


@helper
def _fit(low, high, bins):
    """The least exponent, not below the rounding unit, for which low and high are fewer than `bins` bins apart."""
    e = _unit(high if abs(high) > abs(low) else low)
    if high > low:
        least = math.frexp((high - low) / bins)[1] - 2
        if least > e:
            e = least
        while _bin(high, e) - _bin(low, e) >= bins:
            e += 1
    return e


@helper
def _widen(counts, exponent, low, high, d, new_low, new_high, old):
    """Make the bins of dimension d cover [new_low, new_high] as well; old (B,) is room to work in."""
    mask, own = counts.shape[1] - 1, exponent[d]
    if low[d] > high[d]:
        exponent[d] = _fit(new_low, new_high, mask + 1)
    else:
        first, last = _bin(low[d], own), _bin(high[d], own)
        if new_low > low[d]:
            new_low = low[d]
        if new_high < high[d]:
            new_high = high[d]
        shift = _fit(new_low, new_high, mask + 1) - own
        if shift > 0:
            exponent[d] = own + shift
            if shift > 62:  # the bins' numbers have fewer bits
                shift = 62
            for j in range(first, last + 1):
                old[j - first] = counts[d, j & mask]
                counts[d, j & mask] = 0
            for j in range(first, last + 1):
                counts[d, (j >> shift) & mask] += old[j - first]
    low[d] = new_low
    high[d] = new_high


@helper
def _insert(extremes, d, used, value):
    """Put one finite value among the extremes; returns the value that belongs into the bins instead, or NaN."""
    top, half = extremes.shape[1] - 1, extremes.shape[1] // 2
    if used > top:  # no loop here ends early: that would cost more than going on
        new = np.float32(value)
        if value > extremes[d, half]:
            out = np.float64(extremes[d, half])
            for i in range(half, top):
                here, above = extremes[d, i], extremes[d, i + 1]
                here = here if here > new else new
                extremes[d, i] = above if above < here else here
            extremes[d, top] = extremes[d, top] if extremes[d, top] > new else new
            return out
        if value >= extremes[d, half - 1]:
            return value
        out = np.float64(extremes[d, half - 1])
        for i in range(half - 1, 0, -1):
            here, below = extremes[d, i], extremes[d, i - 1]
            here = here if here < new else new
            extremes[d, i] = below if below > here else here
        extremes[d, 0] = extremes[d, 0] if extremes[d, 0] < new else new
        return out
    i = used
    while i > 0 and extremes[d, i - 1] > value:
        extremes[d, i] = extremes[d, i - 1]
        i -= 1
    extremes[d, i] = value
    return math.nan


@kernel(f"void({STATE}, int64[::1], float64[::1], float32[:, ::1], int64, int64)")
def update(counts, exponent, low, high, extremes, tallies, work, binned, x, start, stop):
    """Add the rows start:stop of x (D, n); work (B,) and binned (stop - start,) are room to work in."""
    mask, size = counts.shape[1] - 1, extremes.shape[1]
    for d in range(x.shape[0]):
        used, n = tallies[0, d], 0
        least, largest = math.inf, -math.inf
        inner, outer = math.inf, -math.inf  # a value from inner to outer is none of the extremes
        if used >= size:
            inner, outer = np.float64(extremes[d, size // 2 - 1]), np.float64(extremes[d, size // 2])
        for i in range(start, stop):
            value = np.float64(x[d, i])
            if not (inner <= value <= outer):
                if not math.isfinite(value):
                    tallies[1 if math.isnan(value) else 2 if value < 0.0 else 3, d] += 1
                    continue
                value = _insert(extremes, d, used, value + 0.0)  # -0.0 becomes 0.0: they are one value
                if used >= size - 1:
                    inner, outer = np.float64(extremes[d, size // 2 - 1]), np.float64(extremes[d, size // 2])
            used += 1
            if used > size:
                binned[n] = value
                n += 1
                if value < least:
                    least = value
                if value > largest:
                    largest = value
        tallies[0, d] = used
        if n > 0:
            if least < low[d] or largest > high[d]:
                _widen(counts, exponent, low, high, d, least + 0.0, largest + 0.0, work)
            scale = _power(-exponent[d])
            for i in range(n):
                counts[d, math.floor(binned[i] * scale) & mask] += 1


@kernel(f"void({STATE}, int64[::1], {STATE})")
def merge(counts, exponent, low, high, extremes, tallies, work, counts2, exponent2, low2, high2, extremes2, tallies2):
    """Add the second state to the first, as if its rows had been added; the grids have the same B and K."""
    mask, size = counts.shape[1] - 1, extremes.shape[1]
    for d in range(counts.shape[0]):
        used = tallies[0, d] if tallies[0, d] < size else size
        if low2[d] <= high2[d]:
            _widen(counts, exponent, low, high, d, low2[d], high2[d], work)
            e, shift = exponent2[d], exponent[d] - exponent2[d]
            if shift > 62:
                shift = 62
            for j in range(_bin(low2[d], e), _bin(high2[d], e) + 1):
                counts[d, (j >> shift) & mask] += counts2[d, j & mask]
        for i in range(tallies2[0, d] if tallies2[0, d] < size else size):
            value = _insert(extremes, d, used, np.float64(extremes2[d, i]))
            used += 1
            if used > size:
                _widen(counts, exponent, low, high, d, value, value, work)
                counts[d, _bin(value, exponent[d]) & mask] += 1
        for k in range(4):
            tallies[k, d] += tallies2[k, d]


@kernel(f"void({STATE}, int64[::1], float64[:, ::1])")
def entropy(counts, exponent, low, high, extremes, tallies, work, out):
    """Differential entropy in nats and its standard error into out (2, D), where there is a finite value.

    Plug-in with the correction of Miller 1955 and Madow, (occupied - 1) / 2n. The width is the power of two with the
    least estimated cross-entropy, plug-in + (occupied - 1) / n (after Taylor 1987), among those with 8 values a bin or
    more that do not merely tell values of a coarser dtype apart. A constant has the entropy of its rounding cell. The
    least and the largest value bound the first and the last bin. work (4B,) is room to work in.
    """
    bins = counts.shape[1]
    for d in range(counts.shape[0]):
        n = tallies[0, d]
        used = n if n < extremes.shape[1] else extremes.shape[1]
        if n == 0:
            continue
        lowest, highest = np.float64(extremes[d, 0]), np.float64(extremes[d, used - 1])
        if lowest == highest:
            out[0, d], out[1, d] = _unit(lowest) * math.log(2.0), 0.0
            continue
        # lay the bins out in order, bin j at work[j - base], with the extremes that are not further than that reaches
        e, left = exponent[d], low[d]
        if used == n:
            e, left = _fit(lowest, highest, bins), lowest
        base = _bin(left, e) - bins
        for j in range(4 * bins):
            work[j] = 0
        if used < n:
            lowest, highest = left, high[d]
            for j in range(base + bins, _bin(highest, e) + 1):
                work[j - base] = counts[d, j & (bins - 1)]
        far = 0
        for i in range(used):
            value = np.float64(extremes[d, i])
            scaled = value * _power(-e)
            if base <= scaled < base + 4 * bins:
                work[math.floor(scaled) - base] += 1
                if value < lowest:
                    lowest = value
                if value > highest:
                    highest = value
            else:
                far += 1
        first, last = _bin(lowest, e) - base, _bin(highest, e) - base
        best, skip, singles, before = math.inf, 0, True, 0
        while True:
            width = _power(e)
            single = math.log(n * width)  # the surprise of a value alone in its bin
            mean, square, occupied = far * single, far * single * single, far
            for i in range(first, last + 1):
                c = work[i]
                if c > 0:
                    occupied += 1
                    surprise = single - (LOG[c] if c < LOG.shape[0] else math.log(c))
                    if c >= 8 and not (first < i < last):
                        # the support ends in this bin: c values reach c / (c + 1) of the part inside
                        left = lowest if i == first else (base + i) * width
                        right = highest if i == last else (base + i + 1) * width
                        size = (right - left) * ((c + 1) / c)
                        if 0.0 < size < width:
                            surprise += math.log(size / width)
                    mean += c * surprise
                    square += c * surprise * surprise
            mean /= n
            square /= n
            singles = singles and occupied > 0.95 * before
            if singles and before > 0:
                # the finer grids only told values apart; beyond the next power of two a lattice is twice as coarse
                best, skip = math.inf, 2
            coarsest = last - first <= 1  # bins -1 and 0 never join
            cross = mean + (occupied - 1) / n
            if cross < best and ((skip == 0 and 8 * occupied <= n) or coarsest):
                best = cross
                out[0, d] = mean + (occupied - 1) / (2.0 * n)
                # the last terms: the noise of the correction and of the two ends, all there is for a uniform density
                out[1, d] = math.sqrt(abs(square - mean * mean) / n + (0.5 * occupied + 2.0) / n / n)
            if coarsest:
                break
            if skip > 0:
                skip -= 1
            before = occupied
            odd = base & 1
            for i in range((first + odd) // 2, (last + odd) // 2 + 1):
                a, b = 2 * i - odd, 2 * i + 1 - odd
                work[i] = (work[a] if a >= first else 0) + (work[b] if b <= last else 0)
            first, last, base, e = (first + odd) // 2, (last + odd) // 2, base // 2, e + 1


@kernel(f"void({STATE}, int64[:, ::1], float64[:, ::1], int64[:, ::1])")
def draw(counts, exponent, low, high, extremes, tallies, out, frame, held):
    """Counts on the finest dyadic grid of at most M bins that holds all finite values but the outliers.

    out (D, M) int64, zeros before, M at least 2. frame (4, D): left edge, width, least and largest finite value.
    held (2, D): bins in use and outliers, which are in none of them. No bins and NaN where nothing is finite.
    """
    bins, most = counts.shape[1], out.shape[1]
    for d in range(counts.shape[0]):
        n, own = tallies[0, d], exponent[d]
        used = n if n < extremes.shape[1] else extremes.shape[1]
        begin, stop = 0, used
        frame[0, d] = frame[1, d] = frame[2, d] = frame[3, d] = math.nan
        held[0, d] = held[1, d] = 0
        if n == 0:
            continue
        frame[2, d], frame[3, d] = extremes[d, 0], extremes[d, used - 1]
        left, right = low[d], high[d]
        if n >= LEAST and left < right:
            far = FAR * (right - left)
            while begin < stop and extremes[d, begin] < left - far:
                begin += 1
            while begin < stop and extremes[d, stop - 1] > right + far:
                stop -= 1
            held[1, d] = used - (stop - begin)
        if begin < stop and extremes[d, begin] < left:
            left = np.float64(extremes[d, begin])
        if begin < stop and extremes[d, stop - 1] > right:
            right = np.float64(extremes[d, stop - 1])
        e = _unit(right if right > -left else left)
        if e < own:
            e = own
        while _bin(right, e) - _bin(left, e) >= most:
            e += 1
        first = _bin(left, e)
        for i in range(begin, stop):
            out[d, _bin(np.float64(extremes[d, i]), e) - first] += 1
        if low[d] <= high[d]:
            shift = e - own if e - own < 62 else 62
            for j in range(_bin(low[d], own), _bin(high[d], own) + 1):
                out[d, (j >> shift) - first] += counts[d, j & (bins - 1)]
        frame[0, d], frame[1, d] = first * _power(e), _power(e)
        held[0, d] = _bin(right, e) - first + 1
