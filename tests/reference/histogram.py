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
    """Return the state of one dimension after these values, in any order."""
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


def ordered_counts(values: list[float], bins: int, apart: int) -> tuple[list[int], list[float]]:
    """(counts, frame) of the bins in order: exponent, base, bins, least and largest value laid, extremes left out."""
    extremes, binned = split(values, apart)
    if not extremes:
        return [], [math.nan, math.nan, 0, math.nan, math.nan, 0]
    finite = sorted(binned + extremes)
    kept, few = extremes, len(finite) < 256
    if few and len(finite) >= 10:
        left, right = Fraction(finite[3]), Fraction(finite[-4])
        if left < right:
            kept = [v for v in extremes if abs(Fraction(v) - (left + right) / 2) <= Fraction(33, 2) * (right - left)]
    e = grid(binned + kept if few else binned, bins)
    base = bin_of(min(binned or kept), e) - bins
    near = sorted(binned + [v for v in kept if base <= bin_of(v, e) < base + 4 * bins])
    numbers = [bin_of(v, e) for v in near]
    counts = [numbers.count(j) for j in range(numbers[0], numbers[-1] + 1)]
    return counts, [e, numbers[0], len(counts), near[0], near[-1], len(binned) + len(extremes) - len(near)]
