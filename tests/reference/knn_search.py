"""Neighbours, ranks and the test of independence, as they are written down."""

import math

import numpy as np


def nearest(x: np.ndarray, k: int) -> np.ndarray:
    """Squared distances of the columns of x (d, n) to their k nearest others, from all of them, (k, n)."""
    wide = x.astype(np.float64)
    squares = ((wide[:, :, None] - wide[:, None, :]) ** 2).sum(axis=0)
    np.fill_diagonal(squares, np.inf)
    missing = np.full((max(k - x.shape[1], 0), x.shape[1]), np.inf)
    return np.concatenate([np.sort(squares, axis=0)[:k], missing])


def ranks(x: np.ndarray) -> np.ndarray:
    """Ranks from 0 in each dimension of x (d, n), without ties."""
    return np.array([[(row < value).sum() for value in row] for row in x])


def dependence(ranks: np.ndarray, degree: int) -> np.ndarray:
    """n Σ (mean of P_a(u) P_b(v))² for every pair, u and v the ranks on (−1, 1), P_a of mean square 1."""
    d, n = ranks.shape
    u = (2 * ranks + 1) / n - 1
    p = {1: u, 2: (3 * u**2 - 1) / 2, 3: (5 * u**3 - 3 * u) / 2, 4: (35 * u**4 - 30 * u**2 + 3) / 8}
    return np.array(
        [
            [
                n
                * sum(
                    (math.sqrt((2 * a + 1) * (2 * b + 1)) * np.mean(p[a][i] * p[b][j])) ** 2
                    for a in range(1, degree + 1)
                    for b in range(1, degree + 1)
                )
                for j in range(d)
            ]
            for i in range(d)
        ]
    )
