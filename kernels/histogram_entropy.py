"""Differential entropy of every dimension, in nats, from the bins that `histogram.ordered_counts` returns.

Neighbouring bins are joined to cells, two by two, level by level. The estimate reads the largest cells that hold fewer
than LEAF rows, and the bins that hold more: small cells where the rows are dense, wide ones in the tails (partitions of
this kind: Darbellay & Vajda 1999; Stowell & Plumbley 2009). Only the count of a cell decides if it is split, and given
this count the counts of its halves are binomial. With ψ in place of the logarithm (Wolpert & Wolf 1995; Zhang 2012),
h = ψ(n) − 1/n Σ c (ψ(c) − log w) over cells of width w that hold c rows is therefore unbiased, except for a density
that varies inside a cell. Three corrections reduce this bias. Bins with enough rows are extrapolated to width 0. An end
of the support may be a power law (an arcsine law has half of its error there). A density that differs from a uniform
one at no level is taken to be uniform, which leaves only the error of the two ends.

Two cases have no density. A bin that holds many times more than the bins around it, which are similar to each other, is
an atom: its rows are left out, except as many as its neighbours hold. If many bins between full ones are empty, the
values lie on a lattice coarser than the bins, as bfloat16 values do. Bins that only separate its points are joined,
which spreads every point over its cell.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._jit import helper, inlined, kernel

LEAF = 16
"""Smallest number of rows of a cell that is split: a trade of the noise of its halves against its bias."""
LOG2 = math.log(2.0)
EULER = 0.5772156649015329
PSI = np.arange(1024.0) * np.concatenate(([0.0, -EULER], np.cumsum(1.0 / np.arange(1.0, 1023.0)) - EULER))
"""Table of c ψ(c) of common counts, because a logarithm costs more than the rest of a cell's work."""
MIN_UNIFORM_ROWS = 256
"""Smallest number of rows of which a density may be taken to be uniform."""
UNIFORM_SIGMAS = 3.0
"""Standard deviations of a uniform sample's noise below which a density is taken to be uniform."""
ATOM_RATIO = 6
"""Rows in an atom, divided by those in any bin around it, at least."""
MAX_ATOM_POINTS = 16
"""Largest number of points of a lattice that is a discrete distribution: all its rows are on atoms."""
MIN_COARSE_NATS = 0.02
"""Smallest error of too wide bins, in nats, that sets the flag `coarse`."""
FIVE = np.arange(5)[:, None]
"""Places of the bins that a power law at an end is read from."""
PADDING = 2
"""Number of empty bins before the first and after the last, so that every bin has neighbours."""

Array = NDArray[Any]


@helper
def _weighted(c):
    """Return c ψ(c), for an integer c."""
    return PSI[int(c)] if c < PSI.shape[0] else c * math.log(c) - 0.5 - 1.0 / (12.0 * c)


@inlined
def _is_atom(padded, bins, i):
    """Return True if the bin at padded[i] is far higher than the bins around it, and these are flat."""
    bound, near = (padded[i] - LEAF) / ATOM_RATIO, padded[i - 1] + padded[i + 1]
    if near > 2.0 * bound or near > 1.5 * (padded[i - 2] + padded[i + 2]) + LEAF:
        return False  # a peak that the bins do not resolve falls off steeply
    reach, higher = (bins >> 3) + 2, 0
    for j in range(PADDING, bins + PADDING):
        higher += padded[j] > bound and j != i and -reach <= j - i <= reach
    return higher == 0


@inlined
def _is_lattice(counts, bins):
    """Return True if too many bins between full ones (LEAF rows or more) are empty for a density."""
    seen = empty = 0
    for i in range(1, bins - 1):
        if counts[i - 1] + counts[i + 1] >= LEAF:
            seen += 1
            empty += counts[i] == 0.0
    return empty >= 8 and 5 * empty >= seen


@inlined
def _spread_lattice(counts, bins):
    """Join bins while they resolve the points of a lattice.

    Return the number of times that the bins resolved the points, and the number of times that bins were joined.

    Bins are joined twice more, since one bin may have a point more than the next, but not to fewer than
    MAX_ATOM_POINTS bins.
    """
    lattice = joined = 0
    while bins > 8:
        if lattice == joined and _is_lattice(counts, bins):
            lattice += 1
        elif joined == lattice + 2 or lattice == 0 or bins <= 2 * MAX_ATOM_POINTS:
            break
        joined += 1
        bins = (bins + 1) >> 1
        for i in range(bins):
            counts[i] = counts[2 * i] + counts[2 * i + 1]
        counts[bins] = 0.0
    return lattice, joined


@inlined
def _join_levels(counts, terms, bins, width, low, high, mean, sums):
    """Join all bins, level by level, and sum over the splits of cells that hold LEAF rows or more; see `cells`."""
    square = gain = splits = coarse_gain = coarse_splits = slope = 0.0
    finest, log_width = bins, math.log(width)
    counts[bins] = terms[bins] = 0.0
    for i in range(bins):
        c = counts[i]
        terms[i] = _weighted(c)
        if c >= LEAF:
            log_inside = log_width
            if i == 0 or i == bins - 1:
                log_inside = math.log((high if i == bins - 1 else (i + 1.0) * width) - (low if i == 0 else i * width))
            square += c * (terms[i] / c - log_inside - mean) ** 2
    while bins > 1:
        for i in range((bins + 1) >> 1):
            left, right, left_term, right_term = counts[2 * i], counts[2 * i + 1], terms[2 * i], terms[2 * i + 1]
            c = left + right
            term = _weighted(c)
            counts[i], terms[i] = c, term
            if c < LEAF or 2 * i + 1 >= bins:
                continue
            log_left = log_right = log_width
            log_both = log_width + LOG2
            if i == 0 or 2 * i + 2 >= bins:
                middle = (2.0 * i + 1.0) * width
                begin, end = low if i == 0 else middle - width, high if 2 * i + 2 >= bins else middle + width
                log_left, log_right, log_both = math.log(middle - begin), math.log(end - middle), math.log(end - begin)
            elif bins == finest and left >= LEAF and right >= LEAF:
                slope += left_term + right_term - term + c * LOG2
            split = left_term + right_term - term - left * log_left - right * log_right + c * log_both
            gain += split
            splits += 1.0
            if bins <= 16:
                coarse_gain += split
                coarse_splits += 1.0
            if 0.0 < left < LEAF:
                square += left * (left_term / left - log_left - mean) ** 2
            if 0.0 < right < LEAF:
                square += right * (right_term / right - log_right - mean) ** 2
        bins, width, log_width = (bins + 1) >> 1, 2.0 * width, log_width + LOG2
        counts[bins] = terms[bins] = 0.0
    sums[5], sums[6], sums[7], sums[8], sums[9], sums[10] = square, gain, splits, coarse_gain, coarse_splits, slope


@inlined
def _refine_splits(counts, joined, terms, bins, sums):
    """Sum the gains of splitting two bins and four bins in halves, at every position except the ends; see `cells`."""
    margin = 3 if bins > 8 else 1  # what is nearer to an end is read as a power law
    sums[16] = 0.0
    for i in range(bins):
        joined[i], terms[i] = counts[i], _weighted(counts[i])
        sums[16] = max(sums[16], counts[i])
    for half in range(1, 3):
        gain = splits = 0.0
        for i in range(bins - 2 * half + 1):  # in place: what is read is not written yet
            c, apart = joined[i] + joined[i + half], terms[i] + terms[i + half]
            term = _weighted(c)
            joined[i], terms[i] = c, term
            counted = (c >= LEAF) & (margin <= i) & (i <= bins - 2 * half - margin)
            gain += apart - term + c * LOG2 if counted else 0.0
            splits += counted
        sums[10 + 2 * half], sums[11 + 2 * half] = gain / (2.0 * half), splits / (2.0 * half)


@kernel("void(int64[:, ::1], float64[:, ::1], float64[::1], float64[::1], float64[::1], float64[:, ::1])")
def cells(ordered, frame, counts, terms, room, sums):
    """Lower the atoms in `ordered` (D, 4B), and sum over the cells of every dimension into `sums` (D, 17).

    sums[d], by index:
    0, 1: the number of rows in bins, and the number of these rows that are on atoms.
    2, 3: the ends of the support, low and high, as distances from the left edge of the first bin.
    4: the width of the bins that are read.
    5: Σ c (ψ(c) − log w − m)² over the cells that are read; m is the term ψ(c) − log w of all cells joined to one.
    6, 7: the sum that the splits add to Σ c log f, and the number of splits.
    8, 9: the same for the levels of 16 bins or fewer.
    10: the sum that the splits into two inner bins add, if each bin holds LEAF rows or more.
    11: the spacing of the lattice, or 0.
    12, 13: the sum that the splits of two neighbouring bins add, and the number of these splits. The two bins hold LEAF
    rows or more and are at no end. Both numbers are halved, because every bin is in two such pairs.
    14, 15: the same for four neighbouring bins, divided by four.
    16: the largest number of rows in one bin.

    Work space: counts, terms and room (4B + 4,).
    """
    for d in range(ordered.shape[0]):
        bins, n, taken = int(frame[d, 2]), 0.0, 0.0
        if bins < 2:
            continue
        for i in range(bins):
            counts[i] = terms[i + PADDING] = ordered[d, i]
            n += counts[i]
        terms[0] = terms[1] = terms[bins + 2] = terms[bins + 3] = 0.0
        for i in range(bins):
            if counts[i] > LEAF and _is_atom(terms, bins, i + PADDING):
                counts[i] = math.floor(0.5 * (terms[i + 1] + terms[i + 3]))
                taken += terms[i + PADDING] - counts[i]
        only = n - taken < LEAF  # but atoms: how far apart they are is the only information
        for i in range(bins if taken > 0.0 else 0):
            if only:
                counts[i] = terms[i + PADDING]
            else:
                ordered[d, i] = int(counts[i])
        width = math.ldexp(1.0, int(frame[d, 0]))
        low, high = frame[d, 3] - frame[d, 1] * width, frame[d, 4] - frame[d, 1] * width
        lattice = joined = 0
        counts[bins] = 0.0
        if not only:
            lattice, joined = _spread_lattice(counts, bins)
        if lattice > 0:
            low, high = 0.0, (bins - 1) * width + math.ldexp(width, lattice)
            bins, width = ((bins - 1) >> joined) + 1, math.ldexp(width, joined)
        else:
            low, high = low - width / (counts[1] + 1.0), high + width / (counts[bins - 2] + 1.0)
        read = n if only else n - taken
        sums[d, 0], sums[d, 1], sums[d, 2], sums[d, 3], sums[d, 4] = n, taken, low, high, width
        sums[d, 11] = 0.0 if lattice == 0 else math.ldexp(width, lattice - joined)
        _refine_splits(counts, terms, room, bins, sums[d])
        _join_levels(counts, terms, bins, width, low, high, _weighted(read) / read - math.log(high - low), sums[d])


def _power_law(counts: Array, part: Array, width: Array) -> tuple[Array, Array]:
    """Return the sums that a power law at an end of the support adds to Σ c log f and Σ c (log f)² of the bins there.

    counts (5, D): rows of the bins, from the end inwards. part: width of the first bin inside the support. With density
    ∝ t^(β−1), t the distance from the end, f = β t^(β−1) / (b^β − a^β) between a and b, and the mean of log t there is
    (b^β log b − a^β log a) / (b^β − a^β) − 1/β. The first LEAF rows and the two bins after them
    give β.
    """
    both = counts[0] + counts[1]
    first = (counts[0] < LEAF) * 1 + ((counts[0] < LEAF) & (both < LEAF))
    c, second, third = (
        np.choose(first, some) for some in ((counts[0], both, both + counts[2]), counts[1:4], counts[2:5])
    )
    held = (c >= LEAF) & (second + third >= LEAF)
    c, ratio = np.where(held, c, 1.0), width / (part + first * width)  # distances in units of a: no power overflows
    power = np.minimum(np.maximum(np.log((c + second + third) / c) / np.log1p(2.0 * ratio), 0.05), 4.0)
    log_end = np.log1p(ratio)
    grown = np.expm1(power * log_end)
    mean_log = (grown + 1.0) * log_end / grown - 1.0 / power
    added = c * (np.log(power) - 1.0 + 1.0 / power)
    added += second * (np.log(power * ratio / grown) + (power - 1.0) * mean_log)
    return np.where(held, added, 0.0), np.where(held, c * (1.0 - 1.0 / power) ** 2, 0.0)


class Entropy(NamedTuple):
    """Result of `estimate`, (D,) each; NaN without a finite value."""

    value: Array
    """Differential entropy in nats of the rows off atoms; for a constant, of its rounding cell."""
    standard_error: Array
    """Standard error in nats; 0 for a constant."""
    atoms: Array
    """Share of the rows on values of positive probability. 1: there is no density."""
    coarse: NDArray[np.bool_]
    """True if the bins are, or may be, too wide for the density, so that value and error are not reliable.

    Either narrower bins would change the value, or one bin holds a quarter of the rows, or rows are on atoms: counts
    alone cannot distinguish a peak inside a bin from equal values.
    """
    far: NDArray[np.int64]
    """Number of values so far from all others that no bin holds them."""


def estimate(ordered: NDArray[np.int64], frame: Array, effective: float | Array = math.inf) -> Entropy:
    """Estimate the entropy from the output of `histogram.ordered_counts`.

    `ordered` (D, 4B) and `frame` (D, 6) are C-contiguous.
    effective, a number or (D,): number of independent rows that the rows are worth, at most their number. `ordered`
    changes: atoms are lowered to the level around them.
    """
    sums = np.full((len(ordered), 17), np.nan)
    room = np.empty((3, ordered.shape[1] + 2 * PADDING))
    cells(ordered, frame, *room, sums)
    n, taken, low, high, width, square, gain, splits, coarse_gain, coarse_splits, slope, lattice = sums.T[:12]
    narrow, narrow_splits, broad, _, most = sums.T[12:]
    exponent, bins, far = frame[:, 0], frame[:, 2], frame[:, 5]
    read, rows = np.where(n - taken < LEAF, n, n - taken), n + far
    wide = (bins > 8) & (lattice == 0.0)
    each = np.arange(len(bins)) * ordered.shape[1]
    ends = np.maximum(bins.astype(np.int64) - 1 - FIVE, 0)
    tips = ordered.ravel()[np.concatenate([each + FIVE, each + ends], axis=1)] * np.concatenate([wide, wide])
    inside = np.concatenate([width - low, high - (bins - 1.0) * width])
    law = _power_law(tips, inside, np.concatenate([width, width]))
    added, varied = (part[: len(bins)] + part[len(bins) :] for part in law)
    # a split of a uniform cell gains half a χ² of one degree of freedom, less its mean
    uniform = (read >= MIN_UNIFORM_ROWS) & (gain <= UNIFORM_SIGMAS * np.sqrt(0.5 * splits))
    uniform &= coarse_gain <= UNIFORM_SIGMAS * np.sqrt(0.5 * coarse_splits)
    flat = np.log(high - low)
    # a range that no split makes smaller is short of its ends by a spacing each
    flat = flat + np.where(splits == 0.0, np.log((read + 1.0) / np.maximum(read - 1.0, 1.0)), 0.0)
    value = flat - gain / read
    variance = np.maximum((square + varied) / read - (gain / read) ** 2, 0.0)
    # where the density is smooth, bins half as wide add a quarter of what these add, and so on
    slope = slope / 3.0
    heaped = (lattice == 0.0) & (most >= np.maximum(0.25 * read, LEAF))
    doubt = np.where(heaped, 1.0, 0.25) * np.hypot(slope, added) / read
    # where it is not, the larger the ratio, the more is missed: for a normal peak of a standard deviation of 5/4, 2/3
    # and 1/3 of a bin's width the ratio is 1/3, 1/2 and 2/3, and the miss is at least 1/30, 1/8 and 1/2 of `narrow`
    ratio = np.minimum(np.maximum(narrow / np.maximum(broad, 1e-9), 0.25), 0.67)
    rough = (lattice == 0.0) & ~uniform & (narrow > UNIFORM_SIGMAS * np.sqrt(0.5 * narrow_splits))
    unresolved = np.where(rough, 0.15 * narrow * (ratio - 0.25) / (0.68 - ratio) / read, 0.0)
    # on a lattice, half a spacing where it doubles
    doubt += unresolved + 0.5 * lattice * np.exp(-value)
    independent = np.minimum(effective, rows) * read / rows
    value = np.where(uniform, flat, value - (slope + added) / read)
    sampling = (variance + LEAF / read) / independent
    error = np.where(uniform, 1.5 / independent, np.sqrt(sampling + doubt**2))
    # a far value is alone, at least as far from all others as the grid reaches
    alone = np.log(rows) + EULER + np.log(0.25 * ordered.shape[1]) + exponent * LOG2
    value = (read * (value + np.log1p(far / read)) + far * alone) / (read + far)
    atoms = np.where((lattice > 0.0) & (high - low <= MAX_ATOM_POINTS * lattice), 1.0, taken / rows)
    coarse = heaped | (atoms > 0.0) | (unresolved > np.maximum(3.0 * np.sqrt(sampling), MIN_COARSE_NATS))
    constant = bins == 1
    return Entropy(
        np.where(constant, exponent * LOG2, value),
        np.where(constant, 0.0, error),
        np.where(constant, 1.0, atoms),
        coarse & (bins > 1),
        far.astype(np.int64),
    )
