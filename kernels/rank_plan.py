"""Ranks of a sorted sample that an entropy estimate reads, and the number of neighbours of each.

With one k for all ranks, a small k is noisy, and a large k is biased in tails and at ends, where the density changes
within k neighbours. Here k grows from the ends of the sample to n^POWER in the bulk, in proportion to the rank. Ranks
near each other have nearly the same neighbours, so not all of them are read.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

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


class Plan(NamedTuple):
    """Ranks of n sorted rows that are read, each for itself and its neighbours."""

    ranks: I64
    """Ranks from 0, and the neighbours k of each, (2, m)."""
    owner: I64
    """Index of the read rank that represents each rank, (n,)."""
    weight: F64
    """Share of all ranks that each read rank represents, (m,)."""
    shrink: F64
    """Factor 2 exp(ψ(n) − ψ(k)) by k that turns a distance into an estimate of 1 / f, (K + 1,)."""
    noise: float
    """Mean of ψ′(k): variance of the distance of one row if rows did not share neighbours."""
    taper: bool
    """True if k is lowered beside gaps."""
    shared: float
    """Variance that shared distances add to n times that of the mean."""


@lru_cache(maxsize=16)
def plan(n: int, k: int | None = None) -> Plan:
    """Plan all ranks with the same k or, without k, every (k / SHARED)-th with a k that grows to n^POWER.

    In a tail, the density falls by the same factor over k rows wherever k is the same share of the rank. This removes
    the bias of a tail, which is most of the error for a large k.
    """
    largest = max(round(n**POWER), MIN_NEIGHBOURS) if k is None else k
    ranks, orders, sizes, at = [], [], [], 0
    while k is None and at < n // 2:
        size = min(max(min(largest, int(SLOPE * at)) // SHARED - 1, 0) | 1, n // 2 - at)  # odd, to have a middle
        ranks.append(at + (size - 1) // 2)
        orders.append(min(max(min(largest, int(SLOPE * ranks[-1])), MIN_NEIGHBOURS), n - 1))
        sizes.append(size)
        at += size
    middle = n % 2 if k is None else n
    ranks = [*ranks, *range(at, at + middle), *(n - 1 - rank for rank in reversed(ranks))]
    orders = [*orders, *[min(largest, n - 1)] * middle, *reversed(orders)]
    sizes = [*sizes, *[1] * middle, *reversed(sizes)]
    weight = np.array(sizes) / n
    noise = float(
        weight @ np.array([trigamma(order) for order in range(1, largest + MIN_NEIGHBOURS)])[np.array(orders) - 1]
    )
    psi = digamma(n) - np.array([digamma(max(order, 1)) for order in range(largest + MIN_NEIGHBOURS)])
    owner = np.repeat(np.arange(len(sizes)), sizes)
    shared = (SHARES if k is None else SHARES_OF_ALL) / largest
    return Plan(np.array([ranks, orders]), owner, weight, 2 * np.exp(psi), noise, k is None, shared)


def digamma(x: float) -> float:
    """Return ψ(x) for x ≥ 1, by recurrence and the asymptotic series (Abramowitz & Stegun 6.3.18)."""
    value = 0.0
    while x < 10:
        value -= 1 / x
        x += 1
    f = 1 / (x * x)
    return value + math.log(x) - 0.5 / x - f * (1 / 12 - f * (1 / 120 - f * (1 / 252 - f * (1 / 240 - f / 132))))


def trigamma(x: float) -> float:
    """Return ψ′(x) for x ≥ 1 (Abramowitz & Stegun 6.4.12)."""
    value = 0.0
    while x < 10:
        value += 1 / (x * x)
        x += 1
    f = 1 / (x * x)
    return value + 1 / x + f / 2 + f / x * (1 / 6 - f * (1 / 30 - f * (1 / 42 - f / 30)))
