"""Differential entropy in one dimension from the distance to the k-th neighbour, in nats.

Kozachenko & Leonenko 1987: h = ψ(n) + mean (log 2ε_i − ψ(k)), ε_i the distance of row i to its k-th nearest neighbour.
In one dimension a sort puts the neighbours side by side: any k + 1 adjacent rows that hold row i bound ε_i from above,
and the best of the k + 1 such runs is ε_i; bisection finds it, as one end comes nearer while the other goes away.

With one k for all ranks, a small k is noisy, and a large k is biased in tails and at ends, where the density changes
within k neighbours. Left to choose, k grows from the ends of the sample to n^POWER in the bulk, in proportion to the
rank: in a tail, the density falls by the same factor over k rows wherever k is the same share of the rank, and this
removes the bias of a tail. Ranks near each other have nearly the same neighbours, so not all of them are read.

`neighbours.ties` says what becomes of equal values. Shapes: x (D, n) float32; rows that are not finite are left out of
their dimension.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import blocking
from ._jit import helper, kernel
from .neighbours import sorting, ties
from .neighbours.digamma import psi

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]

POWER = 0.475
"""Exponent of k in the bulk, n^POWER: more neighbours mean less noise, and more bias where the density curves."""
MIN_NEIGHBOURS = 3
"""Smallest number of neighbours."""
SLOPE = 0.25
"""Neighbours for each rank from the nearer end, so that a thin tail has few."""
SHARED = 3
"""Step between the ranks that are read is k / SHARED: ranks near each other share their neighbours."""
SHARES, SHARES_OF_ALL = 3.2, 2.0
"""Variance that the distances add to the mean, times k n: for a chosen k, and with one k for all ranks. From
simulations on the uniform distribution, whose log f does not vary (n = 32 to 10^5, k = 1 to 237)."""
GAP = 16
"""Number of rows that may have a gap between them."""
MIN_GAP_RATIO = 16.0
"""Smallest width of rows with a gap between them, divided by the width of as many rows before or after."""
MAX_COMPARED = 14
"""Largest chosen k at which all runs of neighbours are compared."""
ROOT_HALF, LN2_HIGH, LN2_LOW = 0x3FE6A09E667F3BCD, 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""Bits of √½; log 2 in two parts, of which the first has trailing zeros."""
FDLIBM = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
"""Coefficients of log (1 + f) in powers of (f / (2 + f))²."""
MAX_BLOCK_NUMBERS, MAX_ORDERED_NUMBERS = 1 << 17, 1 << 15
"""Numbers of the dimensions that are estimated at once: no work space is as large as a wide window. With the numbers of
the rows the work space is twice as large, and is to stay in the second-level cache."""


class Spacing(NamedTuple):
    """Result of `estimate`, (D,) each."""

    value: F64
    standard_error: F64
    ties: F64
    """Share of the finite rows whose value another row has too."""
    atoms: F64
    """Share of the finite rows on values of positive probability."""
    floor: NDArray[np.bool_]
    """True if all rows are one value."""
    rows: I64
    """Number of rows that the value uses: those off atoms, and one of the rows of a value repeated beyond rounding."""


@helper
def _planned(first, stop, n, largest, count, ranks, orders, sizes):
    """Plan every (k / SHARED)-th of the ranks from first to stop, with a k that grows from both ends inwards.

    The ranks, the k of each and the number of ranks that each stands for follow the first `count` of `ranks`, `orders`
    and `sizes`. Returns the number of all ranks.
    """
    half, at, begin = (stop - first) // 2, 0, count
    while at < half:
        size = min(max(min(largest, int(SLOPE * at)) // SHARED - 1, 0) | 1, half - at)  # odd, to have a middle
        rank = at + (size - 1) // 2
        ranks[count], sizes[count] = first + rank, size
        orders[count] = min(max(min(largest, int(SLOPE * rank)), MIN_NEIGHBOURS), n - 1)
        at += size
        count += 1
    end = 2 * count - begin
    if (stop - first) % 2:
        order = largest if stop - first == n else max(min(largest, int(SLOPE * half)), MIN_NEIGHBOURS)
        ranks[count], sizes[count], orders[count] = first + half, 1, min(order, n - 1)
        end += 1
    for t in range(begin, count):
        to = end - 1 - (t - begin)
        ranks[to], sizes[to], orders[to] = stop - 1 - (ranks[t] - first), sizes[t], orders[t]
    return end


@helper
def _find_gaps(y, gaps):
    """Put the last rank before each gap of the sorted y (n,) into `gaps`. Return their number.

    With a gap between them, GAP adjacent rows are more than MIN_GAP_RATIO times as wide as the same number of rows
    before and after.
    """
    count = 0
    for first in range(GAP, y.shape[0] - 2 * GAP, GAP):
        here = y[first + GAP] - y[first]
        if here > MIN_GAP_RATIO * (y[first] - y[first - GAP]) and here > MIN_GAP_RATIO * (
            y[first + 2 * GAP] - y[first + GAP]
        ):
            edge = first
            for i in range(first, first + GAP):
                edge = i if y[i + 1] - y[i] > y[edge + 1] - y[edge] else edge
            gaps[count] = edge
            count += 1
    return count


@helper
def _nearest(y, ranks, orders, start, out):
    """Put the distances of the ranks (m,) to their k-th neighbours in the sorted y (n,) into out (m,).

    The nearest k + 1 rows start where the far end of the run is no nearer than the near end, or one before. Bisection
    advances all ranks at once, so that the processor works on many; start (m,) is work space.
    """
    step = 1
    for t in range(start.shape[0]):
        start[t] = max(ranks[t] - orders[t], 0)
        while 2 * step <= orders[t]:
            step *= 2
    while step > 0:
        for t in range(start.shape[0]):
            i, k, before = ranks[t], orders[t], start[t]
            j = min(before + step, i, y.shape[0] - 1 - k)
            start[t] = j if y[j - 1 + k] - y[i] < y[i] - y[j - 1] else before
        step >>= 1
    for t in range(start.shape[0]):
        i, k, j = ranks[t], orders[t], start[t]
        one = max(j - 1, i - k, 0)
        out[t] = min(max(y[i] - y[j], y[j + k] - y[i]), max(y[i] - y[one], y[one + k] - y[i]))


@helper
def _first_start(y, k, i):
    """Return the least start of a run of k + 1 rows of the sorted y (n,) whose far end is no nearer to y[i]."""
    low, high = max(i - k, 0), min(i, y.shape[0] - 1 - k)
    while low < high:
        middle = (low + high) >> 1
        if y[middle + k] - y[i] < y[i] - y[middle]:
            low = middle + 1
        else:
            high = middle
    return low


@helper
def _nearest_of_all(y, k, start, out):
    """Put the distance of every rank of the sorted y (n,) to its k-th neighbour into out (n,).

    All runs are compared if they are few. Of many, the best start moves up with the rank: ranks and starts are merged
    without branches, which no processor could predict, in four parts at once. start (n,) is work space.
    """
    n, last = y.shape[0], y.shape[0] - 1 - k
    if k <= MAX_COMPARED:
        for i in range(n):
            out[i] = np.inf
        low, high = y[: n - k], y[k:]
        for first in range(k + 1):
            here, best = y[first : n - k + first], out[first : n - k + first]
            for i in range(n - k):
                below, above = here[i] - low[i], high[i] - here[i]
                far = below if below > above else above
                best[i] = far if far < best[i] else best[i]
        return
    part = n // 4
    a, b, c, d = 0, part, 2 * part, 3 * part
    p, q, r, s = 0, _first_start(y, k, b), _first_start(y, k, c), _first_start(y, k, d)
    ups = min(_first_start(y, k, b - 1), _first_start(y, k, c - 1) - q, _first_start(y, k, d - 1) - r)
    for _ in range(part + min(ups, _first_start(y, k, n - 1) - s) - 1):  # until the first part is nearly done
        start[a], start[b], start[c], start[d] = p, q, r, s
        up = int(p < last) & int(y[p + k] - y[a] < y[a] - y[p])
        p, a = p + up, a + 1 - up
        up = int(q < last) & int(y[q + k] - y[b] < y[b] - y[q])
        q, b = q + up, b + 1 - up
        up = int(r < last) & int(y[r + k] - y[c] < y[c] - y[r])
        r, c = r + up, c + 1 - up
        up = int(s < last) & int(y[s + k] - y[d] < y[d] - y[s])
        s, d = s + up, d + 1 - up
    for i, stop, j in ((a, part, p), (b, 2 * part, q), (c, 3 * part, r), (d, n, s)):
        for t in range(i, stop):
            while j < last and y[j + k] - y[t] < y[t] - y[j]:
                j += 1
            start[t] = j
    for i in range(n):
        j = start[i]
        one = max(j - 1, 0)
        out[i] = min(max(y[i] - y[j], y[j + k] - y[i]), max(y[i] - y[one], y[one + k] - y[i]))


@helper
def _to_logarithms(x, bits, exponents):
    """Replace x (m,) by their logarithms, to one unit in the last place (fdlibm's polynomial), without branches.

    bits (m,): the same memory as integers.
    """
    for i in range(x.shape[0]):
        exponents[i] = (bits[i] - ROOT_HALF) >> 52
        bits[i] -= exponents[i] << 52
    for i in range(x.shape[0]):
        f = x[i] - 1.0
        s = f / (2.0 + f)
        z = s * s
        rest = FDLIBM[4] + z * (FDLIBM[5] + z * FDLIBM[6])
        rest = FDLIBM[0] + z * (FDLIBM[1] + z * (FDLIBM[2] + z * (FDLIBM[3] + z * rest)))
        half, e = 0.5 * f * f, np.float64(exponents[i])
        x[i] = e * LN2_HIGH - ((half - (s * (half + z * rest) + e * LN2_LOW)) - f)


@kernel(
    "void(float64[:, ::1], int64[::1], int64, float64[:, ::1], int64[:, ::1], float64[::1], int64[::1],"
    "uint32[:, ::1], float32[:, ::1], float64[:, ::1])"
)
def measure(y, rows, k, psi, room, terms, bits, order, centred, out):
    """Put the mean, the variance and the noise of the terms of an estimate, and its shared variance, into out (D, 4).

    y (D, n): the sorted rows, of which the first `rows` (D,) count. k: 0, or the number of neighbours of every rank.
    psi (2, K): ψ and ψ′ of 0 (unused) to K - 1, all k that are read. order: (0, 0), or (D, n) with the numbers of the
    rows. Then centred (D, n) receives the terms of the rows, less their mean, and NaN for rows without a term. NaN in
    `out` for fewer than k + 1 rows, or 2. Work space: room (4, n), terms (n,), and bits (n,), the memory of `terms`.
    """
    planned, reads, largest, mean_noise = -1, np.int64(0), k, psi[1, k]
    for d in range(y.shape[0]):
        n = rows[d]
        if order.shape[0] > 0 and n < y.shape[1]:
            for i in range(y.shape[1]):
                centred[d, i] = np.nan
        if n < max(k + 1, 2):
            for i in range(out.shape[1]):
                out[d, i] = np.nan
            continue
        here, m = y[d, :n], n
        if k == 0:
            gaps = _find_gaps(here, room[3])
            if gaps > 0 or n != planned:
                largest, mean_noise = max(int(n**POWER + 0.5), MIN_NEIGHBOURS), 0.0
                reads = first = np.int64(0)  # a constant would have `_planned` compiled twice
                for gap in range(gaps + 1):  # gaps are ends of the sample
                    stop = room[3, gap] + 1 if gap < gaps else n
                    reads = _planned(first, stop, n, largest, reads, room[0], room[1], room[2])
                    first = stop
                for t in range(reads):
                    mean_noise += room[2, t] * psi[1, room[1, t]] / n
                planned = -1 if gaps > 0 else n
            m = reads
            _nearest(here, room[0, :m], room[1, :m], room[3, :m], terms[:m])
        else:
            _nearest_of_all(here, k, room[3], terms[:n])
        _to_logarithms(terms[:m], bits, room[3])
        for t in range(m if k == 0 else 0):
            terms[t] -= psi[0, room[1, t]]
        shift = terms[m // 2]
        total, square = 0.0, 0.0
        for t in range(m):
            weight, apart = np.float64(room[2, t] if k == 0 else 1), terms[t] - shift
            total += weight * apart
            square += weight * apart * apart
        total /= n
        f = 1.0 / (np.float64(n) * n)
        psi_n = psi[0, n] if n < psi.shape[1] else math.log(n) - 0.5 / n - f * (1 / 12 - f * (1 / 120 - f / 252))
        out[d, 0] = total + shift + math.log(2.0) + psi_n - (psi[0, k] if k > 0 else 0.0)
        out[d, 1], out[d, 2] = square / n - total * total, mean_noise
        out[d, 3] = (SHARES if k == 0 else SHARES_OF_ALL) / largest
        if order.shape[0] > 0:
            begin = 0
            for t in range(m):
                term, end = np.float32(terms[t] - shift - total), begin + (room[2, t] if k == 0 else 1)
                for i in range(begin, end):
                    centred[d, order[d, i]] = term
                begin = end


def estimate(
    x: F32,
    cluster: I64 | None = None,
    k: int | None = None,
    mantissa: int = 23,
    dependent: bool = False,
    judge: bool = True,
) -> Spacing:
    """Estimate the entropy of every dimension of x (D, n) by k neighbours or, without k, by a k for each rank.

    Rows that are not finite are left out of their dimension; with k rows or fewer, or one, the value is NaN.

    `mantissa`: bits of the type of the values, 23, 10 (float16) or 7 (bfloat16). With `judge`, a value that occurs more
    often than rounding explains keeps only the rows that rounding explains: at least one, or possibly none if it is an
    atom. The value is then −∫ f log f of the continuous part f of the distribution Σ pᵢ δ(aᵢ) + (1 − Σ pᵢ) f, and the
    error is that of the remaining rows. If almost no row remains, all are spread over their cells. The value of a
    constant is the log of its cell, and its error is 0.

    The variance of the mean of n independent terms log f would be Var(log f) / n; the terms log 2ε have ψ′(k) on top,
    but neighbours share distances, so their mean has SHARES / k or SHARES_OF_ALL / k instead. Rows of one `cluster`
    (n,), ids side by side, are dependent; if `dependent`, rows are in time order and neighbours are correlated
    (`blocking.square`). Their slow movements make the sample narrower than the law, and the error allows for this bias.
    """
    tally, sums, centred = terms(x, k, mantissa, judge, dependent or cluster is not None)
    square = sums[:, 1]
    if dependent or cluster is not None:
        square = blocking.square(centred) if cluster is None else blocking.cluster_square(centred, cluster)
    result = flagged(sums[:, 0], square, tally, sums)
    if dependent and cluster is None:
        alone = flagged(sums[:, 0], sums[:, 1], tally, sums).standard_error
        result.standard_error[:] = blocking.with_bias(result.standard_error, alone, result.rows)
    result.value[result.floor], result.standard_error[result.floor] = np.log(tally[result.floor, ties.CELL]), 0.0
    return result


def flagged(value: F64, square: F64, tally: F64, sums: F64) -> Spacing:
    """Return a value with its error, of terms whose mean has the variance `square` / n, and with its flags."""
    rows, finite, floor = tally[:, ties.KEPT], tally[:, ties.FINITE], tally[:, ties.FLOOR] > 0
    with np.errstate(divide="ignore", invalid="ignore"):  # no rows: NaN
        error = np.sqrt((np.maximum(square - sums[:, 2], 0.0) + sums[:, 3]) / rows)
        tied, atoms = tally[:, ties.TIED] / finite, np.where(floor, 1.0, tally[:, ties.ATOMS] / finite)
    return Spacing(value, error, tied, atoms, floor, rows.astype(np.int64))


def terms(x: F32, k: int | None, mantissa: int, judge: bool, ordered: bool) -> tuple[F64, F64, F32]:
    """Return `tally` of `ties.separate`, and `out` and `centred` of `measure` for x (D, n), C-contiguous.

    `centred` is (0, n) if not `ordered`.
    """
    dimensions, n = x.shape
    table = psi(max(k or 0, 1024))
    tally, out = np.empty((dimensions, 6)), np.empty((dimensions, 4))
    centred = np.empty((dimensions if ordered else 0, n), np.float32)
    room, logs = np.empty((4, n), np.int64), np.empty(n)
    step = max((MAX_ORDERED_NUMBERS if ordered else MAX_BLOCK_NUMBERS) // max(n, 1), 1)
    to_sort, to_untie = sorting.room(min(step, dimensions), n, ordered), ties.room(min(step, dimensions), n)
    for first in range(0, dimensions, step):
        part = slice(first, first + step)
        values, order = sorting.sorted_rows(x[part], to_sort)
        y = ties.without_ties(values, order, mantissa, judge, k or 0, tally[part], to_untie)
        kept, bits = tally[part, ties.KEPT].astype(np.int64), logs.view(np.int64)
        measure(y, kept, k or 0, table, room, logs, bits, order, centred[part], out[part])
    return tally, out, centred


def entropy(x: F32, cluster: I64 | None = None, k: int | None = None, mantissa: int = 23) -> tuple[F64, F64, F64]:
    """Return value, standard error and ties of `estimate`."""
    return estimate(x, cluster, k, mantissa)[:3]
