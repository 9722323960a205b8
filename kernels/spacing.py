"""Differential entropy in one dimension from the distance to the k-th neighbour, in nats.

Kozachenko & Leonenko 1987: h = ψ(n) − ψ(k) + mean log 2ε_i, ε_i the distance of row i to its k-th nearest neighbour.
In one dimension a sort makes all neighbours adjacent, and the window that holds them only moves to the right.

Latents in low precision have ties, at which ε = 0 and h = −∞. Tied values are spread over the cell that rounding has
drawn together (deterministically, as sorted uniforms), which gives the entropy of the values before rounding. A
constant has then the entropy of its cell: the resolution floor, finite. Shapes: x (D, n) float32, finite.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._jit import helper, kernel

K = 10
"""Neighbours: k = 10 has a smaller error than k = 3 at any size, at no cost once sorted."""
COUPLING = 0.18
"""What neighbours' shared distances add to the variance of the mean, in place of ψ′(k); see `entropy`."""


@helper
def _uniform(seed):
    """A number in (0, 1] that depends on the seed alone (the finaliser of SplitMix64; Steele, Lea & Flood 2014)."""
    z = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (float(z >> np.uint64(11)) + 1.0) / 9007199254740992.0


@helper
def _spread(y, start, stop, cell, below):
    """Lay the tied y[start:stop] out over their rounding cell, as sorted uniforms (normalised exponential spacings)."""
    total = -math.log(_uniform(stop))
    for i in range(start, stop):
        total -= math.log(_uniform(i))
    at = 0.0
    left, width = y[start] - 0.5 * below, 0.5 * (below + cell)
    for i in range(start, stop):
        at -= math.log(_uniform(i))
        y[i] = left + width * (at / total)


@kernel("void(float32[:, ::1], int64, int64, float32[:, ::1], float64[::1])")
def distances(x, k, mantissa, out, ties):
    """Distance of every row to its k-th neighbour, (D, n), for sorted rows x; and the share of tied rows, (D,)."""
    dimensions, n = x.shape
    y = np.empty(n)
    for d in range(dimensions):
        scale = 0.0
        for i in range(n):
            y[i] = x[d, i]
            scale += abs(y[i])
        floor = max(math.ldexp(1.0, math.frexp(scale / n)[1] - 1 - mantissa - 8), 1e-44) if scale > 0 else 1e-44
        tied, i = 0, 0
        while i < n:
            j = i + 1
            while j < n and x[d, j] == x[d, i]:
                j += 1
            if j - i > 1:
                tied += j - i
                fraction, exponent = math.frexp(abs(y[i]))
                cell = max(math.ldexp(1.0, exponent - 1 - mantissa), floor)
                below = 0.5 * cell if fraction == 0.5 else cell
                _spread(y, i, j, cell, below)
            i = j
        ties[d] = tied / n
        left, last = 0, n - k - 1
        for i in range(n):
            here = y[i]
            while left < last and (left + k < i or y[left + k + 1] - here < here - y[left]):
                left += 1
            out[d, i] = max(here - y[left], y[left + k] - here, 1e-38)


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


Arrays = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def entropy(
    x: NDArray[np.float32], cluster: NDArray[np.int64] | None = None, k: int = K, mantissa: int = 23
) -> Arrays:
    """Entropy, its standard error and the share of tied rows, float64 (D,) each; needs n > k.

    `mantissa` are the bits of the type the values were rounded to: 23, 10 (float16) or 7 (bfloat16). The variance of
    the mean of independent terms log f would be Var(log f) / n; the terms log 2ε have ψ′(k) on top of Var(log f), but
    neighbours share distances, so their mean has `COUPLING` instead (found by simulation on the uniform distribution,
    where Var(log f) = 0). Rows of one `cluster` (n,) are dependent: their centred terms are summed first.
    """
    dimensions, n = x.shape
    if cluster is None:
        ordered, order = np.sort(x, axis=1), None
    else:
        order = np.argsort(x, axis=1, kind="stable")
        ordered = np.take_along_axis(x, order, axis=1)
    terms, ties = np.empty((dimensions, n), np.float32), np.empty(dimensions)
    distances(ordered, k, mantissa, terms, ties)
    np.log(terms, out=terms)
    mean = terms.mean(axis=1, dtype=np.float64)
    value = digamma(n) - digamma(k) + math.log(2) + mean
    terms -= mean[:, None].astype(np.float32)
    if cluster is None or order is None:
        square = np.square(terms).sum(axis=1) / n
    else:
        square = cluster_square(np.take_along_axis(terms, np.argsort(order, axis=1), axis=1), cluster)
    variance = np.maximum(square - trigamma(k), 0.0) + COUPLING
    return value, np.where(ties == 1.0, 0.0, np.sqrt(variance / n)), ties


def cluster_square(terms: NDArray[Any], cluster: NDArray[np.int64]) -> NDArray[np.float64]:
    """n times the variance of the mean of centred terms (D, n), whose rows are dependent within clusters (n,)."""
    starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
    sums = np.add.reduceat(terms, starts, axis=1, dtype=np.float64)
    m = len(starts)
    return np.asarray((sums * sums).sum(axis=1) / terms.shape[1] * (m / max(m - 1, 1)))
