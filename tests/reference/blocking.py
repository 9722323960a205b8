"""The blocking estimate's slow twin, one dimension and one block at a time."""

from __future__ import annotations

import math
from itertools import pairwise


def square(terms: list[float], least: int) -> float:
    """n times the variance of the mean of centred terms: see `polar_monitor.kernels.blocking`."""
    lengths = [1]
    while len(terms) // (2 * lengths[-1]) >= least:
        lengths.append(2 * lengths[-1])
    levels = [[sum(terms[i * b : i * b + b]) for i in range(len(terms) // b)] for b in lengths]
    silent = [correlation(sums) * math.sqrt(len(sums)) <= 1 for sums in levels]
    chosen = next((i for i in range(len(levels) - 1) if silent[i] and silent[i + 1]), len(levels) - 1)
    sums = levels[chosen]
    m, rho = len(sums), correlation(sums)
    rho = min(max(rho + (1 + 3 * max(rho, 0)) / m, 0), 0.9)
    longer = (1 + rho) / (1 - rho)
    freedom = max(m / longer - 1, 2)
    return sum(s * s for s in sums) / len(terms) * m / max(m - 1, 1) * longer * (1 + 1.21 / freedom) ** 2


def correlation(sums: list[float]) -> float:
    spread = sum(s * s for s in sums)
    return sum(a * b for a, b in pairwise(sums)) / spread if spread > 0 else 0.0
