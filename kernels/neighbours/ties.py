"""Ties of sorted rows: values that are equal by rounding are spread over their cell, the others are left out.

Latents in low precision have ties, at which a neighbour is at distance 0 and an entropy −∞. Rounding puts a number of
rows into a cell that the density around explains; atoms and repeated inputs put more.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import helper, inlined, kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U32 = NDArray[np.uint32]

BLOCK = 128
"""Number of rows that are searched for ties at once."""
MIN_AROUND = 16
"""Smallest number of rows on each side that show how many ties rounding makes."""
MAX_LOG_ODDS = -5.0
"""Log of the odds of rounding below which the ties in one cell are no rounding, but repeats or an atom."""
MAX_DENSITY_RATIO = 4.0
"""Largest ratio of the density in a cell to that of the rows around. More is no rounding."""
MAX_REPEATS = 24
"""Largest number of tied rows that may be one input repeated in a window: an unlikely tie of more rows is an atom."""
MIN_ROWS = 8
"""Smallest number of rows off atoms that make a density."""
TIED, ATOMS, KEPT, FINITE, CELL, FLOOR = range(6)
"""Columns of the tally: numbers of tied rows, of rows on atoms, of remaining rows and of finite rows; the width of the
last cell; 1 if all rows are one value."""


@inlined
def _count_rounded_rows(y, i, j, cell, least, refused):
    """Return the number of the tied rows y[i:j] that rounding to a cell explains, given the rows around.

    The larger of the densities on both sides puts a Poisson number of rows into the cell. If the logarithm of
    Chernoff's bound of its tail is at least `least`, rounding explains all of the rows. refused: the largest rate, by
    the number of rows, at which it does not, so that few logarithms are taken.
    """
    reach, ties, kind = max(j - i, MIN_AROUND), j - i - 1.0, min(j - i, refused.shape[0] - 1)
    first, last = max(i - reach, 0), min(j + reach, y.shape[0])
    expected, span = (i - first) * cell, y[i] - 0.5 * cell - y[first]
    others, width = (last - j) * cell, y[last - 1] - y[i] - 0.5 * cell
    limit = refused[kind]
    if limit < 1.0 and expected <= limit * span and others <= limit * width:
        return 0
    if (first < i and MAX_DENSITY_RATIO * expected >= ties * span) or (
        last > j and MAX_DENSITY_RATIO * others >= ties * width
    ):
        return j - i
    rate = max(expected / span if first < i else 0.0, others / width if last > j else 0.0)
    if rate > refused[kind] or (rate > 0.0 and kind < j - i):
        if ties - rate - ties * math.log(ties / rate) >= least:
            return j - i
        refused[kind] = rate
    if rate < 1.0:
        return 0
    # only the nearest rows give the density: further away there may be other atoms
    first, last = max(i - MIN_AROUND, 0), min(j + MIN_AROUND, y.shape[0]) - 1
    span = y[last] - y[first] - cell
    return int(min(rate, (last - first + 1 - (j - i)) * cell / span) if span > 0.0 else rate)


@helper
def _untie(values, y, edges, mantissa, gaps, least, refused, keep, tally):
    """Make y (n,), a copy of the sorted values (n,), have no ties. Return the number of remaining rows.

    If rounding is less likely than `least` to explain a tie, only the rows that it explains remain, and at least one if
    the tie is no atom; keep (n,) is False for the others. The rows that remain in such a tie are still equal. gaps:
    sums of exponential spacings. Work space: edges (n + 1,).
    """
    n, count, before = y.shape[0], 0, False
    for block in range(0, n, BLOCK):
        last, equal = min(block + BLOCK, n - 1), 0
        here, after = values[block:last], values[block + 1 : last + 1]
        for i in range(last - block):
            equal += here[i] == after[i]
        if equal > 0 or before:
            for i in range(last - block):  # without branches, which ties would make hard to predict
                same = here[i] == after[i]
                edges[count] = block + i
                count += same != before
                before = same
    edges[count] = n - 1
    scale = max(abs(values[n // 8]), abs(values[n - 1 - n // 8]))
    floor = max(math.ldexp(1.0, math.frexp(scale)[1] - 1 - mantissa - 8), 1e-44) if scale > 0 else 1e-44
    remaining, power, cell = n, 0.0, 0.0
    for run in range(0, count, 2):
        i, j = edges[run], edges[run + 1] + 1
        size, value = j - i, np.float64(values[i])
        far = abs(value)
        if not power <= far < 2.0 * power:
            power = math.ldexp(1.0, math.frexp(far)[1] - 1) if far > 0.0 else 0.0
            cell = max(math.ldexp(power, -mantissa), floor)
        stay = size
        if least > -np.inf and size < n:
            stay = _count_rounded_rows(y, i, j, cell, least, refused)
        tally[TIED] += size
        if stay < size:
            if size > MAX_REPEATS:
                tally[ATOMS] += size - stay
            else:
                stay = max(stay, 1)
            for row in range(i + stay, j):
                keep[row] = False
            remaining -= size - stay
        else:
            inner = 0.5 * cell if far == power and far > 0.0 else cell  # cells are half as wide below a power of two
            below, above = (cell, inner) if value < 0 else (inner, cell)
            # no further than half way to the next value: rows of more bits than promised must stay sorted
            left, right = value - 0.5 * below, value + 0.5 * above
            left = max(left, 0.5 * (value + values[i - 1])) if i > 0 else left
            right = min(right, 0.5 * (value + values[j])) if j < n else right
            pace, base = (right - left) / (gaps[j + 1] - gaps[i]), gaps[i]
            for row in range(i, j):
                y[row] = left + (gaps[row + 1] - base) * pace
            tally[CELL] = right - left
    return remaining


@kernel(
    "void(float32[:, ::1], uint32[:, ::1], int64, boolean, int64, float64[::1], int64[::1], float64[::1], boolean[::1],"
    "float64[:, ::1], float64[:, ::1], float64[::1])"
)
def separate(values, order, mantissa, judge, neighbours, gaps, edges, refused, keep, y, tally, spare):
    """Put the sorted values (D, n), without ties and without rows to leave out, into y (D, n).

    order: (0, 0), or (D, n) with the numbers of the rows, from which the same rows are removed. tally (D, 6): see TIED.
    Rows that are not finite are left out. judge: if False, all other rows are kept. If too few rows for `neighbours`
    would remain, all are kept. `values` and `order` change. Work space: edges (n + 1,), refused (k,), keep (n,)
    and spare (6,).
    """
    for d in range(values.shape[0]):
        first, last = 0, values.shape[1]
        while first < last and not math.isfinite(values[d, first]):
            first += 1
        while first < last and not math.isfinite(values[d, last - 1]):
            last -= 1
        n, equal = last - first, 0
        here, out, kept = values[d, first:last], y[d, :n], keep[:n]
        for i in range(n):
            out[i] = here[i]
        for i in range(n - 1):
            equal += here[i] == here[i + 1]
        for i in range(n if order.shape[0] > 0 and first > 0 else 0):
            order[d, i] = order[d, first + i]
        tally[d, KEPT] = tally[d, FINITE] = n
        tally[d, TIED] = tally[d, ATOMS] = tally[d, CELL] = 0.0
        tally[d, FLOOR] = n > 1 and equal == n - 1
        if equal == 0:
            continue
        for i in range(n):
            kept[i] = True
        for i in range(refused.shape[0]):
            refused[i] = 0.0
        least = math.log(equal / n) + MAX_LOG_ODDS if judge else -np.inf
        for turn in range(2):
            counts = tally[d] if turn == 0 else spare
            remaining = _untie(here, out, edges, mantissa, gaps, least, refused, kept, counts)
            if remaining == n:
                break
            if remaining >= max(MIN_ROWS, n // 128, neighbours + 1):
                size = 0
                for i in range(n):
                    here[size] = here[i]
                    size += kept[i]
                if order.shape[0] > 0:
                    size = 0
                    for i in range(n):
                        order[d, size] = order[d, i]
                        size += kept[i]
                n = remaining
            here, out, least = here[:n], out[:n], -np.inf
            for i in range(n):
                out[i] = here[i]
        tally[d, KEPT] = n


@lru_cache(maxsize=2)
def _gaps(size: int) -> F64:
    """Return sums of exponential spacings, (size + 1,): fixed, so that an estimate is reproducible."""
    return np.concatenate([np.zeros(1), np.cumsum(np.random.default_rng(0).standard_exponential(size))])


class Room(NamedTuple):
    """Memory that is allocated once for many dimensions."""

    y: F64
    """(k, n): sorted rows without ties."""
    gaps: F64
    edges: NDArray[np.int64]
    refused: F64
    keep: NDArray[np.bool_]
    spare: F64


def room(dimensions: int, n: int) -> Room:
    """Return memory for the rows (k, n) of up to so many dimensions."""
    gaps = _gaps(1 << (n + 1).bit_length())  # of few lengths, each for many n
    edges, keep = np.empty(n + 1, np.int64), np.empty(n, np.bool_)
    return Room(np.empty((dimensions, n)), gaps, edges, np.empty(2 * MAX_REPEATS), keep, np.zeros(6))


def without_ties(values: F32, order: U32, mantissa: int, judge: bool, neighbours: int, tally: F64, own: Room) -> F64:
    """Return `y` of `separate` in `own` memory, and fill the tally."""
    y = own.y[: len(values)]
    separate(values, order, mantissa, judge, neighbours, *own[1:5], y, tally, own.spare)
    return y
