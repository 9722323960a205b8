"""Differential entropy in one dimension from the distance to the k-th neighbour, in nats.

Kozachenko & Leonenko 1987: h = ψ(n) + mean (log 2ε_i − ψ(k)), ε_i the distance of row i to its k-th nearest neighbour.
In one dimension a sort puts the neighbours side by side: any k + 1 adjacent rows that hold row i bound ε_i from above,
and the best of the k + 1 such runs is ε_i; bisection finds it, as one end comes nearer while the other goes away.

Left to choose k, the estimate reads a few ranks only, with a k that grows from the ends inwards (`rank_plan`). Latents
in low precision have ties, at which ε = 0 and h = −∞; `_untie` handles them. Shapes: x (D, n) float32,
finite.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import blocking
from ._jit import helper, kernel
from .rank_plan import MIN_NEIGHBOURS, SLOPE, Plan, plan

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

DIGIT = 11
"""Bits of a digit of the radix sort: 2048 counters fit in the first-level cache."""
MAX_TWO_DIGIT_ROWS = 1 << 14
"""Largest number of rows for which two digits and a few insertions are faster than three digits."""
BLOCK = 128
"""Number of rows that are searched for ties at once."""
MIN_AROUND = 16
"""Smallest number of rows on each side that show how many ties rounding makes."""
MAX_LOG_ODDS = -5.0
"""Log of the odds of rounding below which the ties in one cell are no rounding, but repeats or an atom."""
MIN_GAP_RATIO = 16.0
"""Smallest width of rows with a gap between them, divided by the width of as many rows before or after."""
MAX_DENSITY_RATIO = 4.0
"""Largest ratio of the density in a cell to that of the rows around. More is no rounding."""
MAX_REPEATS = 24
"""Largest number of tied rows that may be one input repeated in a window: an unlikely tie of more rows is an atom."""
LEFT_OUT = np.uint32(1 << 31)
"""Mark of a row that is left out."""
MIN_ROWS = 8
"""Smallest number of rows off atoms that make a density."""


class Spacing(NamedTuple):
    """Result of `estimate`, (D,) each."""

    value: F64
    standard_error: F64
    ties: F64
    """Share of the rows whose value another row has too."""
    atoms: F64
    """Share of the rows on values of positive probability."""
    floor: NDArray[np.bool_]
    """True if all rows are one value."""
    rows: I64
    """Number of rows that the value uses: those off atoms, and one of the rows of a value repeated beyond rounding."""


@helper
def _sorted(keys, rows, counts, carry):
    """Sort keys[0] (n,) uint32, and rows[0] with it if `carry`. Return the index of the half that holds the result.

    A stable radix sort takes digit by digit, from the lowest, of as many bits as the range of the keys has. In a small
    sample it takes the two highest digits only, and insertion sorts the few rows that are out of order. If insertion
    takes too long, three digits are sorted.
    """
    n, at, size, bits = keys.shape[1], 0, 1 << DIGIT, 0
    low, high, mask, one = keys[0, 0], keys[0, 0], np.uint32(size - 1), np.uint32(1)
    for i in range(n):
        low, high = min(low, keys[0, i]), max(high, keys[0, i])
    while bits < 32 and high - low >= np.uint64(1) << np.uint64(bits):
        bits += 1
    for digits in range(2 if n <= MAX_TWO_DIGIT_ROWS else 3, 4):
        first, source = max(bits - digits * DIGIT, 0), keys[at]
        a, b, c = np.uint32(first), np.uint32(first + DIGIT), np.uint32(min(first + 2 * DIGIT, 31))
        for value in range(size):
            counts[0, value] = counts[1, value] = counts[2, value] = 0
        for i in range(n):
            key = np.uint32(source[i] - low)
            counts[0, (key >> a) & mask] += one
            counts[1, (key >> b) & mask] += one
            if digits == 3:
                counts[2, (key >> c) & mask] += one
        for turn in range(digits):
            shift = np.uint32(first + turn * DIGIT)
            if shift >= bits:
                break
            place, total = counts[turn], np.uint32(0)
            for value in range(size):
                before = total
                total = np.uint32(total + place[value])
                place[value] = before
            source, target, ids, moved = keys[at], keys[1 - at], rows[at], rows[1 - at]
            for i in range(n):
                key = source[i]
                digit = (np.uint32(key - low) >> shift) & mask
                to = place[digit]
                place[digit] = to + one
                target[to] = key
                if carry:
                    moved[to] = ids[i]
            at = 1 - at
        if first == 0 or _insertion_sorted(keys[at], rows[at]):
            break
    return at


@helper
def _insertion_sorted(keys, rows):
    """Sort nearly sorted keys by insertion. Return False, in any order, if too many are out of place."""
    budget = 4 * keys.shape[0]
    for i in range(1, keys.shape[0]):
        key = keys[i]
        if key < keys[i - 1]:
            row, j = rows[i], i
            while j > 0 and key < keys[j - 1]:
                keys[j], rows[j] = keys[j - 1], rows[j - 1]
                j -= 1
            keys[j], rows[j] = key, row
            budget -= i - j
            if budget < 0:
                return False
    return True


@helper
def _spread(y, size, stop, left, right, gaps):
    """Spread the tied y[stop - size : stop] from left to right, as sorted uniforms (normalised exponential gaps)."""
    total = gaps[stop]
    for i in range(stop - size, stop):
        total += gaps[i]
    pace, at = (right - left) / total, left
    for i in range(stop - size, stop):
        at += gaps[i] * pace
        y[i] = at


@helper
def _count_rounded_rows(y, i, j, cell, least):
    """Return the number of the tied rows y[i:j] that rounding to a cell explains, given the rows around.

    The larger of the densities on both sides puts a Poisson number of rows into the cell. If the logarithm of
    Chernoff's bound of its tail is at least `least`, rounding explains all of the rows.
    """
    reach, ties, rate = max(j - i, MIN_AROUND), j - i - 1.0, 0.0
    first, last = max(i - reach, 0), min(j + reach, y.shape[0])
    below, above = y[i] - 0.5 * cell - y[first], y[last - 1] - y[i] - 0.5 * cell
    for rows, span in ((i - first, below), (last - j, above)):
        if rows > 0:
            if MAX_DENSITY_RATIO * rows * cell >= ties * span:
                return j - i
            rate = max(rate, rows * cell / span)
    if rate > 0.0 and ties - rate - ties * math.log(ties / rate) >= least:
        return j - i
    # only the nearest rows give the density: further away there may be other atoms
    first, last = max(i - MIN_AROUND, 0), min(j + MIN_AROUND, y.shape[0]) - 1
    span = y[last] - y[first] - cell
    return int(min(rate, (last - first + 1 - (j - i)) * cell / span) if span > 0.0 else rate)


@helper
def _untie(y, order, mantissa, gaps, least, tally):
    """Make the sorted y (n,) have no ties, in place.

    Values tied by rounding are spread over their rounding cell, in the same way at every call. If rounding is less
    likely than `least` to explain a tie, only the rows that it explains remain, and at least one if the tie is no atom.
    The numbers of the other rows are marked in `order` (n,). tally: the numbers of tied rows, of rows on atoms and of
    remaining rows, and the width of the last cell.
    """
    n, i, before = y.shape[0], 0, -np.inf
    scale = max(abs(y[n // 8]), abs(y[n - 1 - n // 8]))
    floor = max(math.ldexp(1.0, math.frexp(scale)[1] - 1 - mantissa - 8), 1e-44) if scale > 0 else 1e-44
    tally[0], tally[1], tally[2] = 0.0, 0.0, n
    while i < n:
        first, equal = i, 0
        while i + BLOCK < n and equal == 0:  # most rows have no tie
            here, after = y[i : i + BLOCK], y[i + 1 : i + BLOCK + 1]
            for j in range(BLOCK):
                equal += here[j] == after[j]
            i += BLOCK if equal == 0 else 0
        while i + 1 < n and y[i] != y[i + 1]:
            i += 1
        before = y[i - 1] if i > first else before
        value, j = y[i], i + 1
        while j < n and y[j] == value:
            j += 1
        size = j - i
        if size > 1:
            tally[0] += size
            fraction, exponent = math.frexp(abs(value))
            cell = max(math.ldexp(1.0, int(exponent) - 1 - mantissa), floor) if value != 0 else floor
            stay = _count_rounded_rows(y, i, j, cell, least) if least > -np.inf and size < n else size
            if stay < size:
                tally[1] += size - stay if size > MAX_REPEATS else 0
                for row in range(i + (stay if size > MAX_REPEATS else max(stay, 1)), j):
                    order[row] |= LEFT_OUT
                    tally[2] -= 1
            else:
                inner = 0.5 * cell if fraction == 0.5 else cell  # cells are half as wide below a power of two
                below, above = (cell, inner) if value < 0 else (inner, cell)
                # no further than half way to the next value: rows of more bits than promised must stay sorted
                left = max(value - 0.5 * below, 0.5 * (value + before))
                right = min(value + 0.5 * above, 0.5 * (value + y[j])) if j < n else value + 0.5 * above
                _spread(y, size, j, left, right, gaps)
                tally[3] = right - left
        before, i = value, j


@helper
def _reduce_neighbours_at_gaps(y, rank, orders):
    """Lower the numbers of neighbours, orders (m,), of the ranks (m,) beside gaps, as at the ends of the sample.

    With a gap between them, MIN_AROUND adjacent rows are more than MIN_GAP_RATIO times as wide as the same number of
    rows before and after.
    """
    n, width = y.shape[0], MIN_AROUND
    for first in range(width, n - 2 * width, width):
        here = y[first + width] - y[first]
        if here > MIN_GAP_RATIO * (y[first] - y[first - width]) and here > MIN_GAP_RATIO * (
            y[first + 2 * width] - y[first + width]
        ):
            edge = first
            for i in range(first, first + width):
                edge = i if y[i + 1] - y[i] > y[edge + 1] - y[edge] else edge
            for t in range(orders.shape[0]):
                distance = edge - rank[t] if rank[t] <= edge else rank[t] - edge - 1
                orders[t] = min(orders[t], max(int(SLOPE * distance), MIN_NEIGHBOURS))


@helper
def _nearest(y, rank, orders, shrink, start, out):
    """Put distances of the ranks (m,) to their k-th neighbours in the sorted y (n,), times shrink[k], into out (m,).

    The nearest k + 1 rows start where the far end of the run is no nearer than the near end, or one before. Bisection
    advances all ranks at once, so that the processor works on many; start (m,) is work space.
    """
    step = 1
    for t in range(start.shape[0]):
        start[t] = max(rank[t] - orders[t], 0)
        while 2 * step <= orders[t]:
            step *= 2
    while step > 0:
        for t in range(start.shape[0]):
            i, k, before = rank[t], orders[t], start[t]
            j = min(before + step, i, y.shape[0] - 1 - k)
            start[t] = j if y[j - 1 + k] - y[i] < y[i] - y[j - 1] else before
        step >>= 1
    for t in range(start.shape[0]):
        i, k, j = rank[t], orders[t], start[t]
        one = max(j - 1, i - k, 0)
        far = min(max(y[i] - y[j], y[j + k] - y[i]), max(y[i] - y[one], y[one + k] - y[i]))
        out[t] = far * shrink[k]


@kernel(
    "void(uint32[:, ::1], int64[:, ::1], float64[::1], boolean, int64, boolean, float64[::1], uint32[:, ::1],"
    "float32[:, ::1], uint32[:, ::1], float64[::1], int64[:, ::1], float64[:, ::1], uint32[:, ::1], float64[:, ::1])"
)
def distances(bits, plan, shrink, taper, mantissa, judge, gaps, room, same, counts, y, start, out, order, tally):
    """Put the distance of each rank to its k-th neighbour, times shrink[k], into out (D, m).

    bits: the memory of the float32 rows (D, n) as uint32. plan (2, m): the ranks and the k of each. order: (0, 0), or
    (D, n) to receive the numbers of the rows in sorted order; `LEFT_OUT` is added to the rows that `_untie` leaves out.
    tally (D, 4): see `_untie`. A dimension in which rows are left out has no result in out. judge: if False, no row is
    left out. Work space: room (4, n) and the same memory as float32, counts (3, 2^DIGIT), y (n,), start (2, m).
    """
    n, carry = bits.shape[1], order.shape[0] > 0
    keys, rows = room[:2], room[2:]
    sign, full = np.uint32(0x80000000), np.uint32(0xFFFFFFFF)
    for d in range(bits.shape[0]):
        for i in range(n):
            u = bits[d, i]
            keys[0, i] = u ^ (full if u & sign else sign)  # of the order of the numbers
            rows[0, i] = i
        half = _sorted(keys, rows, counts, carry)
        ordered, values = keys[half], same[half]
        equal = 0
        for i in range(n):
            key = ordered[i]
            ordered[i] = key ^ (sign if key & sign else full)
        for i in range(n):
            y[i] = values[i]
        for i in range(n - 1):
            equal += values[i] == values[i + 1]
        tally[d, 0], tally[d, 1], tally[d, 2] = 0.0, 0.0, n
        if equal:
            _untie(y, rows[half], mantissa, gaps, math.log(equal / n) + MAX_LOG_ODDS if judge else -np.inf, tally[d])
        if tally[d, 2] == n:
            for t in range(start.shape[1]):
                start[0, t] = plan[1, t]
            if taper:
                _reduce_neighbours_at_gaps(y, plan[0], start[0])
            _nearest(y, plan[0], start[0], shrink, start[1], out[d])
        if carry:
            for i in range(n):
                order[d, i] = rows[half, i]


@kernel("void(uint32[:, ::1], int64[::1], float64[:, ::1], float32[:, ::1])")
def by_row(order, owner, terms, out):
    """Put terms (D, m) of the ranks `owner` (n,) at the rows of `order` (D, n) into out (D, n)."""
    for d in range(order.shape[0]):
        for i in range(order.shape[1]):
            out[d, order[d, i]] = terms[d, owner[i]]


@lru_cache(maxsize=4)
def _gaps(n: int) -> F64:
    """Return the exponential spacings that spread ties, (n + 1,): fixed, so that an estimate is reproducible."""
    return np.random.default_rng(0).standard_exponential(n + 1)


def nearest(
    x: F32, chosen: Plan, mantissa: int = 23, judge: bool = True, ordered: bool = False
) -> tuple[F64, NDArray[np.uint32], F64]:
    """Return `out`, `order`, `tally` of `distances` for C-contiguous x (D, n). `order` is (0, 0) if not `ordered`."""
    dimensions, n = x.shape
    m = chosen.weight.shape[0]
    room, counts = np.empty((4, n), np.uint32), np.empty((3, 1 << DIGIT), np.uint32)
    out, tally = np.empty((dimensions, m)), np.empty((dimensions, 4))
    order = np.empty((dimensions, n) if ordered else (0, 0), np.uint32)
    distances(
        x.view(np.uint32), chosen.ranks, chosen.shrink, chosen.taper, mantissa, judge, _gaps(n), room,
        room.view(np.float32), counts, np.empty(n), np.empty((2, m), np.int64), out, order, tally,
    )  # fmt: skip
    return out, order, tally


def estimate(
    x: F32,
    cluster: I64 | None = None,
    k: int | None = None,
    mantissa: int = 23,
    dependent: bool = False,
    judge: bool = True,
) -> Spacing:
    """Estimate the entropy of every dimension of x (D, n), n > k, by k neighbours or, without k, by a `plan`.

    `mantissa`: bits of the type of the values, 23, 10 (float16) or 7 (bfloat16). With `judge`, a value that occurs more
    often than rounding explains keeps only the rows that rounding explains: at least one, or possibly none if it is an
    atom. The value is then −∫ f log f of the continuous part f of the distribution Σ pᵢ δ(aᵢ) + (1 − Σ pᵢ) f, and the
    error is that of the remaining rows. If almost no row remains,
    all are spread over their cells. The value of a constant is the log of its cell, and its error is 0.

    The variance of the mean of n independent terms log f would be Var(log f) / n; the terms log 2ε have ψ′(k) on top,
    but neighbours share distances, so their mean has `Plan.shared` instead. Rows of one `cluster` (n,), ids side by
    side, are dependent; if `dependent`, rows are in time order and neighbours are correlated (`blocking.square`).
    """
    n = x.shape[1]
    chosen = plan(n, k)
    by_rows = dependent or cluster is not None
    terms, order, tally = nearest(x, chosen, mantissa, judge, by_rows)
    left_out = tally[:, 2] < n
    terms[left_out] = 1.0
    np.log(terms, out=terms)
    value = np.einsum("dm,m->d", terms, chosen.weight)
    terms -= value[:, None]
    if by_rows:
        order[left_out] = np.arange(n)
        centred = np.empty(x.shape, np.float32)
        by_row(order, chosen.owner, terms, centred)
        square = blocking.square(centred) if cluster is None else blocking.cluster_square(centred, cluster)
    else:
        square = np.einsum("dm,dm,m->d", terms, terms, chosen.weight)
    error = np.sqrt((np.maximum(square - chosen.noise, 0.0) + chosen.shared) / n)
    ties, atoms = tally[:, 0] / n, tally[:, 1] / n
    floor = ties == 1.0
    floor[floor] = (x[floor] == x[floor, :1]).all(axis=1)
    value[floor], error[floor], atoms[floor] = np.log(tally[floor, 3]), 0.0, 1.0
    used = np.full(len(x), n)
    for d in np.flatnonzero(left_out):
        kept = left(x[d : d + 1], k, mantissa)
        used[d] = len(kept)
        own = None if cluster is None else cluster[kept]
        remaining = estimate(np.ascontiguousarray(x[d : d + 1, kept]), own, k, mantissa, dependent, False)
        value[d], error[d] = remaining.value[0], remaining.standard_error[0]
    return Spacing(value, error, ties, atoms, floor, used)


def left(x: F32, k: int | None = None, mantissa: int = 23) -> I64:
    """Return the rows of one dimension, x (1, n), that its estimate uses, in order; all rows if almost none remains."""
    n = x.shape[1]
    order = nearest(x, plan(n, k), mantissa, True, True)[1][0]
    kept = np.sort(order[order < LEFT_OUT]).astype(np.int64)
    return kept if len(kept) >= max(MIN_ROWS, n // 128, k + 1 if k is not None else 1) else np.arange(n)


def entropy(x: F32, cluster: I64 | None = None, k: int | None = None, mantissa: int = 23) -> tuple[F64, F64, F64]:
    """Return value, standard error and ties of `estimate`."""
    return estimate(x, cluster, k, mantissa)[:3]
