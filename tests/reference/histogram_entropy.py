"""Entropy of binned values by recursion over the cells, one dimension at a time, with scipy's ψ."""

import math
from typing import Any

import numpy as np
from scipy.special import psi

Array = np.ndarray[Any, Any]
LEAF, MIN_UNIFORM_ROWS, UNIFORM_SIGMAS, ATOM_RATIO, MAX_ATOM_POINTS = 16, 256, 3.0, 6, 16


def ordered_counts(x: Array, bins: int) -> tuple[Array, list[float]]:
    """Counts of all finite values on the finest dyadic grid of at most `bins` bins, and their frame."""
    low, high = float(x.min()), float(x.max())
    exponent = math.frexp((high - low) / bins)[1] - 2
    while math.floor(high / 2.0**exponent) - math.floor(low / 2.0**exponent) >= bins:
        exponent += 1
    index = np.floor(x / 2.0**exponent).astype(int)
    counts = np.bincount(index - index.min())
    return counts, [exponent, float(index.min()), len(counts), low, high, 0]


def without_atoms(counts: Array) -> Array:
    """Counts with the bins that stand alone lowered to the level around them."""
    m = len(counts)
    padded, lowered = np.concatenate([[0, 0], counts, [0, 0]]), counts.copy()
    for i, c in enumerate(counts):
        reach = m // 8 + 2
        others = np.concatenate([counts[max(i - reach, 0) : i], counts[i + 1 : i + 1 + reach], [0]])
        beside, beyond = padded[[i + 1, i + 3]].sum(), padded[[i, i + 4]].sum()
        if c > LEAF and others.max() <= (c - LEAF) / ATOM_RATIO and beside <= 1.5 * beyond + LEAF:
            lowered[i] = beside // 2
    return lowered


def paired(counts: Array) -> Array:
    return np.append(counts, 0)[: len(counts) + len(counts) % 2].reshape(-1, 2).sum(axis=1)


def spread(counts: Array) -> tuple[Array, int, int]:
    """Counts in bins that do not merely tell points apart; how often these did, and how often they were joined."""
    found, joins = 0, 0
    while len(counts) > 8:
        between = counts[:-2] + counts[2:] >= LEAF
        empty = (between & (counts[1:-1] == 0)).sum()
        if found == joins and empty >= 8 and 5 * empty >= between.sum():
            found += 1
        elif found == 0 or joins == found + 2 or len(counts) <= 2 * MAX_ATOM_POINTS:
            break
        counts, joins = paired(counts), joins + 1
    return counts, found, joins


def power_law(counts: Array, part: float) -> tuple[float, float]:
    """Σ c log f and Σ c (log f)² that a power law adds to the first bins; distances in bins, `part` of the first."""
    first = next((i for i in range(2) if counts[: i + 1].sum() >= LEAF), 2)
    c, second, third = counts[: first + 1].sum(), counts[first + 1], counts[first + 2]
    if c < LEAF or second + third < LEAF:
        return 0.0, 0.0
    a = part + first
    beta = min(max(math.log((c + second + third) / c) / math.log((a + 2) / a), 0.05), 4.0)
    area = (a + 1) ** beta - a**beta
    mean_log = ((a + 1) ** beta * math.log(a + 1) - a**beta * math.log(a)) / area - 1 / beta
    added = c * (math.log(beta) + (beta - 1) * -1 / beta)  # of the first, from 0 to a
    return added + second * (math.log(beta / area) + (beta - 1) * mean_log), c * (1 - 1 / beta) ** 2


def cells(counts: Array, edges: Array, level: int, i: int) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """The cells (rows, width) that are read in cell i of a level, and its splits (cells of their level, gain).

    A cell of level l holds bins i·2^l to (i + 1)·2^l, as far as there are so many; edges are those of the bins.
    """
    begin, stop = i << level, min((i + 1) << level, len(counts))
    c, width = int(counts[begin:stop].sum()), float(edges[stop] - edges[begin])
    middle = begin + (1 << level) // 2
    if level > 0 and middle >= stop:
        return cells(counts, edges, level - 1, 2 * i)
    if level == 0 or c < LEAF:
        return [(c, width)], []
    read, splits = [], []
    gain = -c * (psi(c) - math.log(width))
    for half, (first, last) in enumerate(((begin, middle), (middle, stop))):
        part, inside = int(counts[first:last].sum()), float(edges[last] - edges[first])
        gain += part * (psi(part) - math.log(inside)) if part else 0.0
        further = cells(counts, edges, level - 1, 2 * i + half)
        read += further[0]
        splits += further[1]
    return read, [*splits, (-(-len(counts) >> (level - 1)), gain)]


def slope(counts: Array) -> float:
    """Return the gain of splits into bins, for pairs that are not at an end and bins with LEAF rows or more."""
    found = 0.0
    for i in range(2, len(counts) - 2, 2):
        a, b = int(counts[i]), int(counts[i + 1])
        if a >= LEAF and b >= LEAF:
            found += a * psi(a) + b * psi(b) - (a + b) * (psi(a + b) - math.log(2))
    return found


def gains(counts: Array, bins: int) -> list[float]:
    """Return the gain of splitting `bins` bins in halves at every position, except in bins read as a power law."""
    inner = counts[3:-3] if len(counts) > 8 else counts[1:-1]
    halves = [inner[i : i + bins].reshape(2, -1).sum(axis=1) for i in range(len(inner) - bins + 1)]
    return [
        sum(c * float(psi(c)) for c in pair if c) - pair.sum() * (float(psi(pair.sum())) - math.log(2))
        for pair in halves
        if pair.sum() >= LEAF
    ]


def unresolved(counts: Array) -> float:
    """Return the possible miss of a peak, in Σ c log f."""
    fine, broad = gains(counts, 2), gains(counts, 4)
    if sum(fine) / 2 <= UNIFORM_SIGMAS * math.sqrt(len(fine) / 4):
        return 0.0
    ratio = min(max(2 * sum(fine) / sum(broad), 0.25), 0.67) if sum(broad) > 4e-9 else 0.67
    return sum(fine) / 2 * 0.15 * (ratio - 0.25) / (0.68 - ratio)


def entropy(counts: Array, frame: list[float], capacity: int, effective: float = math.inf) -> tuple[float, ...]:
    """Value, error, share of rows on atoms, too coarse, far values; `capacity`: the number of bins B."""
    exponent, base, m, lowest, highest, far = frame
    if m < 2:
        return (math.nan, math.nan, math.nan, 0, far) if m == 0 else (exponent * math.log(2), 0.0, 1.0, 0, far)
    width = finest = 2.0**exponent
    low, high, rows = lowest - base * finest, highest - base * finest, counts.sum() + far
    lowered, found, joins = without_atoms(counts), 0, 0
    atoms = (counts.sum() - lowered.sum()) / rows
    if lowered.sum() >= LEAF:
        counts, found, joins = spread(lowered)
    if found:
        width, spacing = finest * 2**joins, finest * 2**found
        low, high = 0.0, (m - 1) * finest + spacing
        atoms = 1.0 if high - low <= MAX_ATOM_POINTS * spacing else atoms
    else:
        spacing, low, high = 0.0, low - width / (counts[1] + 1), high + width / (counts[-2] + 1)
    m, n = len(counts), int(counts.sum())
    edges = np.arange(m + 1) * width
    edges[0], edges[-1] = low, high
    top = (m - 1).bit_length()
    read, splits = cells(counts, edges, top, 0)
    terms = [(c, psi(c) - math.log(w)) for c, w in read if c > 0]
    flat = math.log(high - low) + (0.0 if splits else math.log((n + 1) / (n - 1)))
    value = float(psi(n)) - sum(c * term for c, term in terms) / n if splits else flat
    ends = [(0.0, 0.0)]
    if m > 8 and not found:
        ends = [power_law(counts, (width - low) / width), power_law(counts[::-1], high / width - (m - 1))]
    added, varied = (sum(x) for x in zip(*ends, strict=True))
    highest_levels = [gain for level, gain in splits if level <= 16]
    independent = min(effective, rows) * n / rows
    heaped = not found and counts.max() >= max(n / 4, LEAF)
    if n >= MIN_UNIFORM_ROWS and all(
        sum(part) <= UNIFORM_SIGMAS * math.sqrt(len(part) / 2)
        for part in (highest_levels, [gain for _, gain in splits])
    ):
        value, error, missed, sampling = flat, 1.5 / independent, 0.0, 0.0
    else:
        square = sum(c * (term - float(psi(n)) + value) ** 2 for c, term in terms) if splits else 0.0
        variance = (square + varied) / n
        missed = 0.0 if found else unresolved(counts) / n
        doubt = math.hypot(slope(counts) / 3, added) / (1 if heaped else 4) / n
        doubt += missed + spacing / 2 * math.exp(-value)
        value -= (slope(counts) / 3 + added) / n
        sampling = math.sqrt((variance + LEAF / n) / independent)
        error = math.hypot(sampling, doubt)
    coarse = heaped or atoms > 0 or missed > max(3 * sampling, 0.02)
    alone = math.log(rows) - psi(1) + math.log(capacity * finest)
    return (n * (value + math.log((n + far) / n)) + far * alone) / (n + far), error, atoms, coarse, far
