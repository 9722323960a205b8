"""The online histogram's slow twin: keeps every value of one dimension and does the arithmetic in exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np


def bin_of(value: float, exponent: int) -> int:
    """The number of the dyadic bin that holds `value`."""
    return math.floor(Fraction(value) / Fraction(2) ** exponent)


def rounding_exponent(value: float) -> int:
    """Exponent of the distance from the float32 |value| to the next larger one."""
    size = np.abs(np.float32(value))
    if size == np.finfo(np.float32).max:  # there is no next one: the distance to the one before is the same
        return math.frexp(float(size) - float(np.nextafter(size, np.float32(0))))[1] - 1
    spacing = float(np.spacing(size))
    return math.frexp(spacing)[1] - 1


def grid(values: list[float], bins: int) -> int:
    """The least exponent for which all values lie in `bins` bins."""
    e = max(rounding_exponent(v) for v in values)
    while bin_of(max(values), e) - bin_of(min(values), e) >= bins:
        e += 1
    return e


def split(values: list[float], apart: int) -> tuple[list[float], list[float]]:
    """(extremes, binned) of the finite values: the `apart` least and largest, and the rest."""
    ordered = sorted(float(v) + 0.0 for v in values if math.isfinite(v))
    if len(ordered) <= 2 * apart:
        return ordered, []
    return ordered[:apart] + ordered[-apart:], ordered[apart:-apart]


def state(values: list[float], bins: int, apart: int) -> dict[str, np.ndarray]:
    """What the state of one dimension is to be after these values, in any order."""
    extremes, binned = split(values, apart)
    counts = np.zeros(bins, np.int64)
    exponent = grid(binned, bins) if binned else -149
    for v in binned:
        counts[bin_of(v, exponent) % bins] += 1
    kept = np.zeros(2 * apart, np.float32)
    kept[: len(extremes)] = extremes
    return {
        "counts": counts,
        "exponent": np.int64(exponent),
        "low": np.float64(min(binned, default=math.inf)),
        "high": np.float64(max(binned, default=-math.inf)),
        "extremes": kept,
        "tallies": np.array(
            [
                len(extremes) + len(binned),
                sum(math.isnan(v) for v in values),
                sum(v == -math.inf for v in values),
                sum(v == math.inf for v in values),
            ]
        ),
    }


def entropy(values: list[float], bins: int, apart: int) -> tuple[float, float]:
    """Entropy and standard error by the same rule, from the values themselves."""
    extremes, binned = split(values, apart)
    n = len(extremes) + len(binned)
    if n == 0:
        return math.nan, math.nan
    if min(extremes) == max(extremes):
        return rounding_exponent(extremes[0]) * math.log(2), 0.0
    e = grid(binned or extremes, bins)
    base = bin_of(min(binned or extremes), e) - bins
    near = binned + [v for v in extremes if base <= bin_of(v, e) < base + 4 * bins]
    far = n - len(near)
    candidates, only_apart, skip, before = [], True, 0, 0
    while True:
        found: dict[int, int] = {}
        for v in near:
            found[bin_of(v, e)] = found.get(bin_of(v, e), 0) + 1
        width, occupied = 2.0**e, len(found) + far
        first, last = min(found), max(found)
        surprises = [(far, -math.log(1 / (n * width)))]
        for j, c in found.items():
            left = max(j * width, min(near)) if j == first else j * width
            right = min((j + 1) * width, max(near)) if j == last else (j + 1) * width
            size = (right - left) * (c + 1) / c
            surprises.append((c, -math.log(c / (n * (size if c >= 8 and 0 < size < width else width)))))
        mean = sum(c * s for c, s in surprises) / n
        variance = sum(c * (s - mean) ** 2 for c, s in surprises) / n
        only_apart = only_apart and occupied > 0.95 * before
        if only_apart and before:
            candidates, skip = [], 2
        if (skip == 0 and 8 * occupied <= n) or last - first <= 1:
            error = math.sqrt(variance / n + (0.5 * occupied + 2) / n**2)
            candidates.append((mean + (occupied - 1) / n, mean + (occupied - 1) / (2 * n), error))
        if last - first <= 1:
            return min(candidates)[1:]
        skip, before, e = max(skip - 1, 0), occupied, e + 1
