"""Which ranks of a sorted sample tell its entropy, and by how many neighbours each.

With one k for all ranks, a small k is noisy and a large one blind to tails and ends: its k neighbours reach to where
the density is another. Here k grows from the ends of the sample to n^POWER in the bulk, in proportion to the rank. And
as ranks near each other have nearly the same neighbours, not all of them are read.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

POWER = 0.475
"""k grows like n^POWER in the bulk: less noise with each neighbour, more bias from a density that bends."""
LEAST, SLOPE = 3, 0.25
"""Fewest neighbours, and neighbours for each rank from the nearer end: a tail is looked at as finely as it is thin."""
SHARED = 3
"""Every (k / SHARED)-th rank is read: neighbours of neighbours are the same rows."""
SHARES, SHARES_OF_ALL = 3.2, 2.0
"""k n times the variance that the distances add to the mean, by simulation on the uniform distribution, whose log f
does not vary (n = 32 to 10^5, k = 1 to 237): where k is chosen, and with one k for all ranks."""


class Plan(NamedTuple):
    """Which ranks of n sorted rows are read, each for itself and its neighbours."""

    ranks: I64
    """(2, m): the ranks from 0, and the neighbours k of each."""
    owner: I64
    """(n,): which of the m stands for each rank."""
    weight: F64
    """(m,): the share of all ranks that each stands for."""
    shrink: F64
    """(K + 1,): 2 exp(ψ(n) − ψ(k)) by k, which makes of a distance an estimate of 1 / f."""
    noise: float
    """Mean of ψ′(k): variance that the distance of one row has, were its neighbours nobody else's."""
    taper: bool
    """Whether k is lowered beside gaps."""
    shared: float
    """Variance that the distances add to n times that of the mean, as neighbours share them."""


@lru_cache(maxsize=16)
def plan(n: int, k: int | None = None) -> Plan:
    """All ranks with the same k; without k, every (k / SHARED)-th, k growing from the ends of the sample to n^POWER.

    k rows of the tail are a share k / n of the sample, over which its density falls by the same factor wherever k is
    the same share of the rank: so the bias of a tail, most of the error where k is large, is gone.
    """
    most = max(round(n**POWER), LEAST) if k is None else k
    ranks, orders, sizes, at = [], [], [], 0
    while k is None and at < n // 2:
        size = min(max(min(most, int(SLOPE * at)) // SHARED - 1, 0) | 1, n // 2 - at)  # odd, to have a middle
        ranks.append(at + (size - 1) // 2)
        orders.append(min(max(min(most, int(SLOPE * ranks[-1])), LEAST), n - 1))
        sizes.append(size)
        at += size
    middle = n % 2 if k is None else n
    ranks = [*ranks, *range(at, at + middle), *(n - 1 - rank for rank in reversed(ranks))]
    orders = [*orders, *[min(most, n - 1)] * middle, *reversed(orders)]
    sizes = [*sizes, *[1] * middle, *reversed(sizes)]
    weight = np.array(sizes) / n
    noise = float(weight @ np.array([trigamma(order) for order in range(1, most + LEAST)])[np.array(orders) - 1])
    psi = digamma(n) - np.array([digamma(max(order, 1)) for order in range(most + LEAST)])
    owner = np.repeat(np.arange(len(sizes)), sizes)
    shared = (SHARES if k is None else SHARES_OF_ALL) / most
    return Plan(np.array([ranks, orders]), owner, weight, 2 * np.exp(psi), noise, k is None, shared)


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
