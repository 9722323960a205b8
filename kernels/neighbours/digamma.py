"""The digamma function ψ and its derivative ψ′, of one number and of all whole numbers."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

EULER = 0.57721566490153286061


@lru_cache(maxsize=4)
def _table(size: int) -> NDArray[np.float64]:
    inverse = 1.0 / np.arange(1, size)
    table = np.full((2, size + 1), np.nan)
    table[0, 1:], table[1, 1:] = -EULER, math.pi**2 / 6
    table[0, 2:] += np.cumsum(inverse)
    table[1, 2:] -= np.cumsum(inverse * inverse)
    return table


def psi(largest: int) -> NDArray[np.float64]:
    """Return ψ and ψ′ of 0 (NaN) to `largest` or more, (2, K)."""
    return _table(1 << max(largest, 2).bit_length())


def digamma(x: float) -> float:
    """Return ψ(x) for x ≥ 1, by recurrence and the asymptotic series (Abramowitz & Stegun 6.3.18)."""
    value = 0.0
    while x < 10:
        value -= 1 / x
        x += 1
    f = 1 / (x * x)
    return value + math.log(x) - 0.5 / x - f * (1 / 12 - f * (1 / 120 - f * (1 / 252 - f * (1 / 240 - f / 132))))
