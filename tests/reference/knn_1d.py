"""The one-dimensional k-NN entropy's slow twin: all distances of all pairs."""

import math

import numpy as np
from scipy import special

Array = np.ndarray


def brute(y: Array, k: int) -> Array:
    """Distance of every row to its k-th nearest other row."""
    apart = np.abs(y[:, None] - y[None, :])
    np.fill_diagonal(apart, np.inf)
    return np.sort(apart, axis=1)[:, k - 1]


def entropy(y: Array, k: int) -> float:
    """The textbook's estimate, one k for all rows."""
    return float(special.digamma(len(y)) - special.digamma(k) + np.log(2 * brute(y, k)).mean())


def entropy_of_ranks(y: Array, ranks: Array, orders: Array, weight: Array) -> float:
    """The mean of some rows' terms, by rank, each with its own k."""
    y = np.sort(y)
    total = 0.0
    for rank, k, w in zip(ranks, orders, weight, strict=True):
        far = np.sort(np.abs(np.delete(y, rank) - y[rank]))[k - 1]
        total += w * (math.log(2 * far) - float(special.digamma(k)))
    return total + float(special.digamma(len(y)))


def plan(n: int, power: float = 0.475) -> tuple[Array, Array, Array]:
    """Ranks that are read, the k of each, and the number of ranks that each stands for."""
    largest = max(round(n**power), 3)
    ranks, orders, sizes, at = [], [], [], 0
    while at < n // 2:
        size = min(max(min(largest, at // 4) // 3 - 1, 0) | 1, n // 2 - at)
        ranks.append(at + (size - 1) // 2)
        orders.append(min(max(min(largest, ranks[-1] // 4), 3), n - 1))
        sizes.append(size)
        at += size
    middle = n % 2
    ranks = [*ranks, *range(at, at + middle), *(n - 1 - rank for rank in reversed(ranks))]
    orders = [*orders, *[min(largest, n - 1)] * middle, *reversed(orders)]
    sizes = [*sizes, *[1] * middle, *reversed(sizes)]
    return np.array(ranks), np.array(orders), np.array(sizes)
