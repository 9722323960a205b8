"""Online histogram of every dimension on a dyadic grid: any order and any split of the rows gives the same bits.

Bin j covers [j·2^e, (j+1)·2^e) and lives in `counts[d, j mod B]`, B a power of two. Scaling by a power of two and
floor are exact, and going from e to e + 1 is j -> floor(j / 2), so binning commutes with widening. The K smallest and
the K largest values (`extremes`, sorted) are kept apart from the bins, so K outliers on either side cannot widen the
grid. `exponent` is the least e, not below the rounding unit of the largest binned value, for which all binned values
fall into B neighbouring bins. Which values are binned, and hence all of the state, depends on the rows as a set.

State, changed in place (D dimensions, all zeros but low = +inf, high = -inf and exponent = FINEST when empty):
counts (D, B) int64, B at most 65536; exponent (D,) int64; low, high (D,) float64, the least and the largest binned
value; extremes (D, 2K) float32, of which min(finite, 2K) are in use; tallies (4, D) int64 of finite, NaN, -inf and +inf
values.
"""

import math

import numpy as np

from ._jit import helper, inlined, kernel

FINEST = -149
"""Exponent of the smallest float32: no grid needs to be finer."""
EXTREMES = 8
"""Number K of values kept out of the bins at either end."""
SEGMENT = 32
"""Number of values in a segment, of which a block keeps the least and the greatest."""
ROWS = 1024
"""Number of rows in a block."""
SMALLEST, LARGEST = np.int32(-(2**31)), np.int32(2**31 - 1)
INFINITE = np.int32(0x7F800000)
"""Bits of inf."""
POWERS = np.ldexp(1.0, np.arange(-256, 257))
"""Powers 2^-256 to 2^256: a look-up is ten times as fast as `math.ldexp`."""
FAR = 16
"""Distance of an outlier from the binned values, in units of their range."""
MIN_OUTLIER_ROWS = 256
"""Smallest number of finite values in which a value is called an outlier."""
MAX_LEFT_OUT = 3
"""Largest number of values that are left out at either end with fewer than MIN_OUTLIER_ROWS values."""
MIN_LEFT_OUT_ROWS = 10
"""Smallest number of values of which any is left out: the others must be enough to have a range."""
STATE = "int64[:, ::1], int64[::1], float64[::1], float64[::1], float32[:, ::1], int64[:, ::1]"


@helper
def _power(e):
    """Return 2^e, exactly."""
    return POWERS[e + 256]


@helper
def _bin(value, e):
    """Return the number of the bin that holds `value`."""
    return math.floor(value * _power(-e))


@helper
def _unit(value):
    """Return the exponent of the distance from the float32 |value| to the next."""
    e = math.frexp(value)[1] - 24
    return FINEST if value == 0.0 or e < FINEST else e


@helper
def _fit(low, high, bins):
    """Return the least exponent, from the rounding unit on, at which low and high are fewer than `bins` bins apart."""
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
    """Make the bins of dimension d cover [new_low, new_high] as well; old (B,) is work space."""
    mask, own = counts.shape[1] - 1, exponent[d]
    empty = low[d] > high[d]
    new_low, new_high = min(new_low, low[d]), max(new_high, high[d])
    scale = _power(-own)
    if empty:
        exponent[d] = _fit(new_low, new_high, mask + 1)
    elif (
        max(-new_low, new_high) * scale >= 2.0**24 or math.floor(new_high * scale) - math.floor(new_low * scale) > mask
    ):
        first, last = math.floor(low[d] * scale), math.floor(high[d] * scale)
        shift = _fit(new_low, new_high, mask + 1) - own
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
    """Insert a finite value into the extremes. Return the value that goes to the bins instead, or NaN."""
    i, out = used, math.nan
    if used >= 2 * EXTREMES and value >= extremes[d, EXTREMES - 1]:
        if value <= extremes[d, EXTREMES]:
            return value
        i, out = EXTREMES, np.float64(extremes[d, EXTREMES])
        while i < 2 * EXTREMES - 1 and extremes[d, i + 1] < value:
            extremes[d, i] = extremes[d, i + 1]
            i += 1
    else:
        if used >= 2 * EXTREMES:
            i, out = EXTREMES - 1, np.float64(extremes[d, EXTREMES - 1])
        while i > 0 and extremes[d, i - 1] > value:
            extremes[d, i] = extremes[d, i - 1]
            i -= 1
    extremes[d, i] = value
    return out


@helper
def _key(bits):
    """Return an integer from the bits of a float32 that sorts as the numbers do; NaN is beyond ±inf."""
    return np.int32(bits ^ np.int32(np.int32(bits >> 31) & LARGEST))


@helper
def _key_of(value):
    """Return the key of a float32."""
    return _key(np.float32(value).view(np.int32))


@helper
def _float(bits):
    """Return the float32 that has these bits."""
    return np.int32(bits).view(np.float32)


@inlined
def _ends(bits, segments):
    """Put the least and the greatest key of every SEGMENT of bits (n,) into segments (2, m). Return those of all."""
    least, most = LARGEST, SMALLEST
    for s in range(segments.shape[1]):
        part, below, above = bits[s * SEGMENT : (s + 1) * SEGMENT], LARGEST, SMALLEST
        for i in range(part.shape[0]):
            key = _key(part[i])
            below = key if key < below else below
            above = key if key > above else above
        segments[0, s], segments[1, s] = below, above
        least = below if below < least else least
        most = above if above > most else most
    return least, most


@inlined
def _kth(ends, sign, ranked):
    """Return the K-th largest of sign * ends (m,), m at least K, times sign; ranked (K,) is work space."""
    for k in range(EXTREMES):
        ranked[k] = SMALLEST
    for s in range(ends.shape[0]):
        key, k = sign * np.int64(ends[s]), EXTREMES - 1
        if key > ranked[k]:
            while k > 0 and ranked[k - 1] < key:
                ranked[k] = ranked[k - 1]
                k -= 1
            ranked[k] = key
    return np.int32(sign * ranked[EXTREMES - 1])


@inlined
def _select(bits, segments, bottom, top, apart):
    """Put the places of keys not between bottom and top into apart.

    Of those that equal either only EXTREMES are taken, as an atom at an end has many: twice as many if both ends meet,
    and all if they may be infinite. Return the number of places, and the least and the greatest of the other keys.
    """
    chosen, least, most = 0, LARGEST, SMALLEST
    at_bottom = at_top = (-EXTREMES if bottom >= top else 0) if bottom > -INFINITE - 1 and top < INFINITE else -ROWS
    for s in range(segments.shape[1]):
        below, above = segments[0, s], segments[1, s]
        if below <= bottom or above >= top:
            part, below, above = bits[s * SEGMENT : (s + 1) * SEGMENT], LARGEST, SMALLEST
            for i in range(part.shape[0]):
                key = _key(part[i])
                inside = (
                    (key > bottom) & (key < top)
                    | (key == bottom) & (at_bottom >= EXTREMES)
                    | (key == top) & (at_top >= EXTREMES)
                )
                at_bottom += key == bottom
                at_top += key == top
                apart[chosen] = s * SEGMENT + i
                chosen += not inside
                below = key if inside and key < below else below
                above = key if inside and key > above else above
        least = below if below < least else least
        most = above if above > most else most
    return chosen, least, most


@inlined
def _number(bits, numbers, least, largest, e, mask):
    """Compute the numbers of the bins, of width 2^e, that hold values, given as bits (n,).

    A value outside [least, largest] gets 0.
    """
    zero, scale, unit = np.float32(0.0), np.float32(_power(-e)), np.float32(_power(e))
    for i in range(bits.shape[0]):
        value = _float(bits[i])
        value = value if (value >= least) & (value <= largest) else zero
        j = np.int32(value * scale)
        # the comparison makes it the floor, also where the product is below the least float32
        j = np.int32(j - (value < np.float32(j) * unit))
        numbers[i] = np.uint16(np.int32(j & mask))


@kernel(f"void({STATE}, int64[::1], int32[:, ::1], uint16[::1], int64[::1], float64[::1], int32[:, ::1], int64, int64)")
def update(
    counts, exponent, low, high, extremes, tallies, old, ends, numbers, apart, freed, x_bits, start, stop
):  # fmt: skip
    """Add the rows start:stop to the state. x_bits (D, n) is the memory of float32 as int32.

    Work space: old (B,), ends (2, ROWS / SEGMENT), numbers, apart and freed (ROWS,).
    The loop takes one dimension and one block of rows at a time. Values between those already binned go straight to
    their bins. Otherwise the ends of short segments show the few values that may be among the extremes.
    """
    mask = counts.shape[1] - 1
    for d in range(counts.shape[0]):
        for begin in range(start, stop, ROWS):
            n = min(ROWS, stop - begin)
            segments, bits = ends[:, : (n + SEGMENT - 1) // SEGMENT], x_bits[d, begin : begin + n]
            least, most = _ends(bits, segments)
            chosen = count = 0
            if least < _key_of(low[d]) or most > _key_of(high[d]):
                # candidates for the extremes, and non-finite values: keys up to bottom, and from top on
                used, bottom, top = tallies[0, d], LARGEST, SMALLEST
                if used >= 2 * EXTREMES:
                    bottom = np.int32(_key_of(np.float64(extremes[d, EXTREMES - 1])) - 1)
                    top = np.int32(_key_of(np.float64(extremes[d, EXTREMES])) + 1)
                if segments.shape[1] >= EXTREMES and least > -INFINITE - 1 and most < INFINITE:
                    bottom = min(bottom, _kth(segments[0], -1, apart))
                    top = max(top, _kth(segments[1], 1, apart))
                chosen, least, most = _select(bits, segments, bottom, top, apart)
                new_low, new_high = math.inf, -math.inf
                if least <= most:  # -0.0 and 0.0 are one value
                    new_low = np.float64(_float(_key(least))) + 0.0
                    new_high = np.float64(_float(_key(most))) + 0.0
                for i in range(chosen):
                    value = np.float64(_float(bits[apart[i]]))
                    if math.isfinite(value):
                        value = _insert(extremes, d, used, value + 0.0)
                        used += 1
                        if not math.isnan(value):
                            freed[count] = value
                            count += 1
                            new_low, new_high = min(new_low, value), max(new_high, value)
                    else:
                        tallies[1 if math.isnan(value) else 2 if value < 0.0 else 3, d] += 1
                tallies[0, d] = used
                if new_low < low[d] or new_high > high[d]:
                    _widen(counts, exponent, low, high, d, new_low, new_high, old)
            tallies[0, d] += n - chosen
            e, bins = exponent[d], counts[d]
            least_value, largest = np.float32(low[d]), np.float32(high[d])
            if e > -127:
                _number(bits, numbers, least_value, largest, e, np.int32(mask))
            else:  # 2^-e is no float32
                for i in range(n):
                    value = _float(bits[i])
                    numbers[i] = _bin(np.float64(value), e) & mask if least_value <= value <= largest else 0
            for i in range(n):
                bins[numbers[i]] += 1
            for i in range(chosen):
                bins[numbers[apart[i]]] -= 1
            for i in range(count):
                bins[_bin(freed[i], e) & mask] += 1


@kernel(f"void({STATE}, int64[::1], float64[::1], {STATE})")
def merge(
    counts, exponent, low, high, extremes, tallies, old, freed,
    counts2, exponent2, low2, high2, extremes2, tallies2,
):  # fmt: skip
    """Add the second state to the first, as if its rows had been added; the grids have the same B.

    Work space: old (B,) and freed (2K,).
    """
    mask = counts.shape[1] - 1
    for d in range(counts.shape[0]):
        count, new_low, new_high = 0, low2[d], high2[d]
        for i in range(min(tallies2[0, d], 2 * EXTREMES)):
            value = _insert(extremes, d, tallies[0, d] + i, np.float64(extremes2[d, i]))
            if not math.isnan(value):
                freed[count] = value
                count += 1
                new_low, new_high = min(new_low, value), max(new_high, value)
        if new_low <= new_high:
            _widen(counts, exponent, low, high, d, new_low, new_high, old)
        e, bins, bins2 = exponent[d], counts[d], counts2[d]
        shift = min(e - exponent2[d], 62)
        if shift == 0:
            for j in range(mask + 1):
                bins[j] += bins2[j]
        elif low2[d] <= high2[d]:
            for j in range(_bin(low2[d], exponent2[d]), _bin(high2[d], exponent2[d]) + 1):
                bins[(j >> shift) & mask] += bins2[j & mask]
        for i in range(count):
            bins[_bin(freed[i], e) & mask] += 1
        for k in range(4):
            tallies[k, d] += tallies2[k, d]


@kernel(f"void({STATE}, int64[:, ::1], float64[:, ::1])")
def ordered_counts(counts, exponent, low, high, extremes, tallies, ordered, frame):
    """Put the counts of every dimension in order, with the extremes that are not far from the binned values.

    ordered (D, 4B): the counts of the bins from the first occupied bin to the last. The columns after them do not
    change. frame (D, 6): the exponent e; the base, which is the number of the first bin, so that bin i covers
    [(base + i)·2^e, (base + i + 1)·2^e); the number of bins; the least and the largest value in them; the number of
    extremes that no bin holds because they are B bins or more below, or 3B or more above, the bin of `low`.

    With fewer than MIN_OUTLIER_ROWS values, the grid covers the extremes too. If there are MIN_LEFT_OUT_ROWS of them or
    more, it leaves out up to MAX_LEFT_OUT values at each end whose distance from the others is more than FAR times the
    range of the others. While no value is binned, the grid is the finest that holds the others. A constant has one bin,
    as wide as its rounding cell. Without a finite value, the number of bins and the last field are 0, and the other
    fields are NaN.
    """
    bins = counts.shape[1]
    for d in range(counts.shape[0]):
        n = tallies[0, d]
        used = n if n < extremes.shape[1] else extremes.shape[1]
        if n == 0:
            frame[d, 0] = frame[d, 1] = frame[d, 3] = frame[d, 4] = math.nan
            frame[d, 2] = frame[d, 5] = 0.0
            continue
        e, lowest, highest, begin, end = exponent[d], low[d], high[d], 0, used
        if n < MIN_OUTLIER_ROWS:
            if n >= MIN_LEFT_OUT_ROWS:
                left, right = np.float64(extremes[d, MAX_LEFT_OUT]), np.float64(extremes[d, used - 1 - MAX_LEFT_OUT])
                reach = FAR * (right - left) if left < right else math.inf
                while extremes[d, begin] < left - reach:
                    begin += 1
                while extremes[d, end - 1] > right + reach:
                    end -= 1
            left, right = np.float64(extremes[d, begin]), np.float64(extremes[d, end - 1])
            e = max(e, _fit(left, right, bins))
            if used == n:
                lowest, highest = left, right
        scale, shift = _power(-e), min(e - exponent[d], 62)
        first = math.floor(lowest * scale)
        bottom, top = first - bins, first + 3 * bins
        while np.float64(extremes[d, begin]) * scale < bottom:
            begin += 1
        while np.float64(extremes[d, end - 1]) * scale >= top:
            end -= 1
        base = first
        if begin < end:
            lowest = min(lowest, np.float64(extremes[d, begin]))
            highest = max(highest, np.float64(extremes[d, end - 1]))
            base = math.floor(lowest * scale)
        laid = math.floor(highest * scale) - base + 1
        for j in range(laid):
            ordered[d, j] = 0
        if used < n:
            for j in range(_bin(low[d], exponent[d]), _bin(high[d], exponent[d]) + 1):
                ordered[d, (j >> shift) - base] += counts[d, j & (bins - 1)]
        for i in range(begin, end):
            ordered[d, math.floor(np.float64(extremes[d, i]) * scale) - base] += 1
        frame[d, 0], frame[d, 1], frame[d, 2] = e, base, laid
        frame[d, 3], frame[d, 4], frame[d, 5] = lowest, highest, used - (end - begin)
