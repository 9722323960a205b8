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
