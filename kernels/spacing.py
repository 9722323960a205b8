"""Differential entropy in one dimension from the distance to the k-th neighbour, in nats.

Kozachenko & Leonenko 1987: h = ψ(n) − ψ(k) + mean log 2ε_i, ε_i the distance of row i to its k-th nearest neighbour.
In one dimension a sort puts the neighbours side by side: any k + 1 adjacent rows that hold row i bound ε_i from above,
and the best of the k + 1 such runs is ε_i, so there is nothing to search and no branch to mispredict.

Latents in low precision have ties, at which ε = 0 and h = −∞. Tied values are spread over the cell that rounding has
drawn together (as sorted uniforms, the same at every call), which gives the entropy of the values before rounding. A
constant has then the entropy of its cell: the resolution floor, finite. Shapes: x (D, n) float32, finite.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._jit import helper, kernel

K = 10
"""Neighbours: k = 10 has a smaller error than k = 3 at any size, at no cost once sorted."""
COUPLING = 0.18
"""What neighbours' shared distances add to the variance of the mean, in place of ψ′(k); see `entropy`."""
BLOCK = 512
"""Runs of neighbours looked at together: their rows stay in the first-level cache."""
DIGIT = 11
"""Bits of a digit of the radix sort: three passes over 2048 counters, which the first-level cache holds."""


@helper
def _sorted(keys, spare, counts):
    """Sort keys (n,) uint64 by their upper half, digit by digit and stable; the array (of the two) with the result."""
    n, mask = keys.shape[0], np.uint64((1 << DIGIT) - 1)
    for value in range(1 << DIGIT):
        counts[0, value] = counts[1, value] = counts[2, value] = 0
    for i in range(n):
        key = keys[i]
        counts[0, (key >> np.uint64(32)) & mask] += 1
        counts[1, (key >> np.uint64(32 + DIGIT)) & mask] += 1
        counts[2, (key >> np.uint64(32 + 2 * DIGIT)) & mask] += 1
    for digit in range(3):
        place, shift = counts[digit], np.uint64(32 + digit * DIGIT)
        if place[(keys[0] >> shift) & mask] == n:
            continue
        total = 0
        for value in range(1 << DIGIT):
            total, place[value] = total + place[value], total
        for i in range(n):
            key = keys[i]
            value = (key >> shift) & mask
            spare[place[value]] = key
            place[value] += 1
        keys, spare = spare, keys
    return keys


@helper
def _spread(y, size, stop, left, right, gaps):
    """Lay the tied y[stop - size : stop] out from left to right, as sorted uniforms (normalised exponential gaps)."""
    total = gaps[stop]
    for i in range(stop - size, stop):
        total += gaps[i]
    pace, at = (right - left) / total, left
    for i in range(stop - size, stop):
        at += gaps[i] * pace
        y[i] = at


@helper
def _untie(y, mantissa, gaps):
    """Spread the tied values of the sorted y (n,) over their rounding cells; how many there are."""
    n, scale = y.shape[0], 0.0
    for i in range(n):
        scale += abs(y[i])
    floor = max(math.ldexp(1.0, math.frexp(scale / n)[1] - 1 - mantissa - 8), 1e-44) if scale > 0 else 1e-44
    tied, i, before = 0, 0, -np.inf
    while i < n:
        here, j = y[i], i + 1
        while j < n and y[j] == here:
            j += 1
        if j - i > 1:
            tied += j - i
            fraction, exponent = math.frexp(abs(here))
            cell = max(math.ldexp(1.0, int(exponent) - 1 - mantissa), floor) if here != 0 else floor
            inner = 0.5 * cell if fraction == 0.5 else cell  # cells are half as wide below a power of two
            below, above = (cell, inner) if here < 0 else (inner, cell)
            # no further than half way to the next value: rows of more bits than promised must stay sorted
            left = max(here - 0.5 * below, 0.5 * (here + before))
            right = min(here + 0.5 * above, 0.5 * (here + y[j])) if j < n else here + 0.5 * above
            _spread(y, j - i, j, left, right, gaps)
        before, i = here, j
    return tied


@kernel(
    "void(uint32[:, ::1], int64, int64, float64[::1], uint64[:, ::1], int64[:, ::1], uint32[::1], float32[::1],"
    "float64[:, ::1], float64[:, ::1], float64[::1])"
)
def distances(bits, k, mantissa, gaps, keys, counts, ordered, same, room, out, ties):
    """Distance of every row to its k-th neighbour, (D, n), in the order of the rows; and the share of tied rows, (D,).

    bits: the float32 rows (D, n), seen as uint32. Room to work in: keys (2, n), counts (3, 2^DIGIT), ordered (n,) and
    the same memory as float32, room (2, n).
    """
    dimensions, n = bits.shape
    y, nearest = room[0], room[1]
    sign, full, low = np.uint32(0x80000000), np.uint32(0xFFFFFFFF), np.uint64(0xFFFFFFFF)
    for d in range(dimensions):
        for i in range(n):
            u = bits[d, i]
            key = u ^ (full if u & sign else sign)  # of the order of the numbers
            keys[0, i] = (np.uint64(key) << np.uint64(32)) | np.uint64(i)
        order = _sorted(keys[0], keys[1], counts)
        for i in range(n):
            key = np.uint32(order[i] >> np.uint64(32))
            ordered[i] = key ^ (sign if key & sign else full)
        equal = 0
        for i in range(n):
            y[i] = same[i]
            nearest[i] = np.inf
        for i in range(n - 1):
            equal += same[i] == same[i + 1]
        ties[d] = _untie(y, mantissa, gaps) / n if equal else 0.0
        for first in range(0, n - k, BLOCK):
            last = min(first + BLOCK, n - k)
            below, above = y[first:last], y[first + k : last + k]
            for j in range(k + 1):
                middle, best = y[first + j : last + j], nearest[first + j : last + j]
                for i in range(last - first):
                    best[i] = min(best[i], max(middle[i] - below[i], above[i] - middle[i]))
        for i in range(n):
            out[d, order[i] & low] = nearest[i]


def digamma(x: float) -> float:
    """ψ(x) for x ≥ 1, by recurrence and the asymptotic series (Abramowitz & Stegun 6.3.18)."""
    value = 0.0
    while x < 10:
        value -= 1 / x
        x += 1
    f = 1 / (x * x)
    return value + math.log(x) - 0.5 / x - f * (1 / 12 - f * (1 / 120 - f * (1 / 252 - f * (1 / 240 - f / 132))))


def trigamma(x: float) -> float:
    """ψ′(x) for x ≥ 1 (Abramowitz & Stegun 6.4.12)."""
    value = 0.0
    while x < 10:
        value += 1 / (x * x)
        x += 1
    f = 1 / (x * x)
    return value + 1 / x + f / 2 + f / x * (1 / 6 - f * (1 / 30 - f * (1 / 42 - f / 30)))


@lru_cache(maxsize=4)
def _gaps(n: int) -> NDArray[np.float64]:
    """The exponential spacings that ties are laid out by, (n + 1,): always the same, so that an estimate is too."""
    return np.random.default_rng(0).standard_exponential(n + 1)


Arrays = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def nearest(x: NDArray[np.float32], k: int = K, mantissa: int = 23) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`distances` of x (D, n), C-contiguous, with the room it needs."""
    dimensions, n = x.shape
    ordered = np.empty(n, np.uint32)
    keys, counts = np.empty((2, n), np.uint64), np.empty((3, 1 << DIGIT), np.int64)
    out, ties = np.empty((dimensions, n)), np.empty(dimensions)
    room = np.empty((2, n))
    distances(
        x.view(np.uint32), k, mantissa, _gaps(n), keys, counts, ordered, ordered.view(np.float32), room, out, ties
    )
    return out, ties


def entropy(x: NDArray[np.float32], cluster: NDArray[np.int64] | None = None, k: int = K, mantissa: int = 23) -> Arrays:
    """Entropy, its standard error and the share of tied rows, float64 (D,) each; needs n > k.

    `mantissa` are the bits of the type the values were rounded to: 23, 10 (float16) or 7 (bfloat16). The variance of
    the mean of independent terms log f would be Var(log f) / n; the terms log 2ε have ψ′(k) on top of Var(log f), but
    neighbours share distances, so their mean has `COUPLING` instead (found by simulation on the uniform distribution,
    where Var(log f) = 0). Rows of one `cluster` (n,) are dependent: their centred terms are summed first. A constant
    has no error.
    """
    n = x.shape[1]
    terms, ties = nearest(x, k, mantissa)
    np.log(terms, out=terms)
    mean = terms.mean(axis=1)
    value = digamma(n) - digamma(k) + math.log(2) + mean
    terms -= mean[:, None]
    square = np.einsum("dn,dn->d", terms, terms) / n if cluster is None else cluster_square(terms, cluster)
    variance = np.maximum(square - trigamma(k), 0.0) + COUPLING
    constant = ties == 1.0
    constant[constant] = (x[constant] == x[constant, :1]).all(axis=1)
    return value, np.where(constant, 0.0, np.sqrt(variance / n)), ties


def cluster_square(terms: NDArray[Any], cluster: NDArray[np.int64]) -> NDArray[np.float64]:
    """n times the variance of the mean of centred terms (D, n), whose rows are dependent within clusters (n,)."""
    starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
    sums = np.add.reduceat(terms, starts, axis=1, dtype=np.float64)
    m = len(starts)
    return np.asarray((sums * sums).sum(axis=1) / terms.shape[1] * (m / max(m - 1, 1)))
