"""Count how often inputs recur in a window: rows that lie closer together than chance explains.

A row coincides with a probe at ε if their means differ by at most ε σ, and their σ² by at most ε σ², in every dimension
looked at: those that the probe uses (σ² at most half of the variance of μ), since all inputs lie close together where
they use nothing. Different inputs lie so close by chance too: their number grows at least as ε, since an encoder may
lay them on a curve, while that of repeats does not grow. So with c(ε) the mean number of rows that coincide with a row,
itself included, at most (c(4ε) − c(ε)) / 3 are there by chance. What is left of c(ε) is a lower bound of the number of
times that the input of a row occurs, and the mean of its inverse the share of different inputs. The smallest share
counts, of all ε at which few rows are there by chance. An input that occurs often among others that occur once, such
as a blank image, is one of many.

Encoders change while they are trained, so repeats coincide within a part of the noise, not exactly. Different inputs
that agree within a fiftieth of the noise in all of these dimensions, mean and σ², cannot be distinguished from repeats.
In one dimension such inputs are common: it may say which of three shapes an image shows, and nothing else. So probes
with one dimension count only if few have several, and then the largest ε is not tried.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from ._jit import helper, kernel
from .light.probes import evenly_spread, probes_of

PROBES = 32
"""Number of rows whose neighbours are counted."""
MAX_DIMENSIONS = 6
"""Largest number of dimensions that are looked at for one probe."""
MIN_PROBES = 8
"""Smallest number of probes that use a dimension, or several. With fewer, no repeats are reported."""
SCALES = (0.25, 0.0625, 1.0 / 64.0, 0.0)
"""Values of ε, each a fourth of the one before. All but the first are tried."""
GROWTH = 4.0
"""Least growth of the number of different inputs that coincide, from one ε to the one before."""
MAX_BY_CHANCE = 0.1
"""Largest share of the rows by chance among those that coincide, at an ε that is used."""
SURE = 2.0
"""Standard errors by which the share of different inputs must be below 1; else it counts as 1."""
BLOCK = 256
"""Rows that are looked at together: none of them in a further dimension once all are far from the probe."""
FLOAT = "float32[:, ::1]"
NO_VARIANCE, NO_GROUP = np.empty((0, 0), np.float32), np.empty(0, np.int32)


@kernel(f"int64({FLOAT}, {FLOAT}, int32[::1], float64, float64[::1], int64[::1], int64[::1], int64[:, ::1])")
def coincidences(mean, variance, group, tau, largest, which, probes, counts):
    """Fill counts (probes, 5): the dimensions looked at, and the rows that coincide at each of `SCALES`.

    variance (D, n), or (0, 0) where tau is σ of all rows. which: the dimensions, in order of preference; a probe looks
    at the first of them whose variance is at most `largest` (D,). group (n,): further rows of the probe's own input do
    not count; empty if every row is an input. A row that is not finite coincides with none.
    Return the largest number of rows that coincide at the largest scale that is tried: with 1, no input recurs.
    """
    n, spread = mean.shape[1], variance.shape[0] > 0
    first, second, third, last = (
        np.float32(SCALES[0]), np.float32(SCALES[1]), np.float32(SCALES[2]), np.float32(SCALES[3]),
    )  # fmt: skip
    most, looked, apart = 1, np.empty(MAX_DIMENSIONS, np.int64), np.empty(BLOCK, np.float32)
    for r in range(probes.shape[0]):
        probe, used = probes[r], 0
        for w in range(which.shape[0]):
            d = which[w]
            square = np.float64(variance[d, probe]) if spread else tau * tau
            if used < MAX_DIMENSIONS and square <= largest[d] and math.isfinite(mean[d, probe]):
                looked[used] = d
                used += 1
        a = b = c = e = np.int32(0)
        for start in range(0, n, BLOCK):
            count = min(BLOCK, n - start)
            for i in range(count):
                apart[i] = 0.0
            if group.shape[0] > 0:
                for i in range(count):
                    own = group[start + i] == group[probe] and start + i != probe
                    apart[i] = np.float32(np.inf) if own else np.float32(0.0)
            near = np.int32(count)
            for w in range(used):
                d = looked[w]
                square = np.float64(variance[d, probe]) if spread else tau * tau
                mu, centre, by = mean[d, start : start + count], mean[d, probe], np.float32(1.0 / math.sqrt(square))
                s2, width, by2 = mu, centre, np.float32(0.0)
                if spread:
                    s2, width, by2 = variance[d, start : start + count], variance[d, probe], np.float32(1.0 / square)
                near = np.int32(0)
                for i in range(count):
                    one = np.float32(abs(np.float32(mu[i] - centre)) * by)
                    other = np.float32(abs(np.float32(s2[i] - width)) * by2)
                    further = one if one > other else other
                    further = further if further > apart[i] else apart[i]
                    # what is not finite is far from all, also from what is as far
                    further = further if one + other < np.inf else np.float32(np.inf)
                    apart[i] = further
                    near = np.int32(near + np.int32(further <= first))
                if near == 0:
                    break
            if near == 0:
                continue
            for i in range(count):
                here = apart[i]
                a = np.int32(a + np.int32(here <= first))
                b = np.int32(b + np.int32(here <= second))
                c = np.int32(c + np.int32(here <= third))
                e = np.int32(e + np.int32(here <= last))
        counts[r, 0] = used
        counts[r, 1], counts[r, 2], counts[r, 3], counts[r, 4] = max(a, 1), max(b, 1), max(c, 1), max(e, 1)
        most = max(most, counts[r, 2])
    return most


@helper
def _of_inputs(counts, inputs):
    """Put the counts of each input first: the least that one of its probes sees, of those with most dimensions.

    inputs (probes,): the input of each probe, those of one side by side. Return the number of inputs.
    """
    last = -1
    for r in range(counts.shape[0]):
        begins = r == 0 or inputs[r] != inputs[r - 1]
        last += int(begins)
        for k in range(counts.shape[1] - 1, -1, -1):  # the number of dimensions at last: it is compared
            if begins or counts[r, 0] > counts[last, 0]:
                counts[last, k] = counts[r, k]
            elif counts[r, 0] == counts[last, 0]:
                counts[last, k] = min(counts[last, k], counts[r, k])
    return last + 1


@kernel("float64(int64[:, ::1], int32[::1])")
def different(counts, inputs):
    """Return the share of different inputs that the counts (probes, 5) of `coincidences` prove, at most 1.

    inputs (probes,): the input of each probe, those of one side by side; empty if every row is an input. The counts
    change.
    """
    if inputs.shape[0] > 0:
        counts = counts[: _of_inputs(counts, inputs)]
    several = ones = 0
    for r in range(counts.shape[0]):
        several += int(counts[r, 0] > 1)
        ones += int(counts[r, 0] > 0)
    if ones < MIN_PROBES:
        return 1.0
    enough = several >= MIN_PROBES
    least, probes, result = (1 if enough else 0), (several if enough else ones), 1.0
    for k in range(1, len(SCALES)):
        if k == 1 and not enough:
            continue
        chance = seen = total = square = 0.0
        part = 1.0 / (GROWTH - 1.0) if SCALES[k] > 0.0 else 0.0
        for r in range(counts.shape[0]):
            if counts[r, 0] > least:
                by_chance = (counts[r, k] - counts[r, k + 1]) * part
                chance += by_chance
                seen += counts[r, k + 1]
                share = 1.0 / max(counts[r, k + 1] - by_chance, 1.0)
                total += share
        mean = total / probes
        for r in range(counts.shape[0]):
            if counts[r, 0] > least:
                by_chance = (counts[r, k] - counts[r, k + 1]) * part
                share = 1.0 / max(counts[r, k + 1] - by_chance, 1.0) - mean
                square += share * share
        error = math.sqrt(square / probes) / math.sqrt(probes)
        if chance <= MAX_BY_CHANCE * seen and mean + SURE * error < 1.0 and mean < result:
            result = mean
    return result


def occurrences(
    mean: NDArray[np.float32],
    variance: NDArray[np.float32] | None,
    which: NDArray[np.int64],
    largest: NDArray[np.float64],
    tau: float = 1.0,
    group: NDArray[np.int32] | None = None,
) -> float:
    """Return the number of inputs divided by the number of different ones, at least 1.

    mean, variance: float32 (D, n), C-contiguous; without a variance `tau` is σ of all rows. which: the dimensions to
    look at, those with most information first. largest (D,): greatest variance of an input that uses a dimension.
    group: int32 (n,), the input that a row belongs to. An input of several rows recurs if all of them do: places of an
    image may have one value in all images.
    """
    n = mean.shape[1]
    if which.size == 0 or n < 2:
        return 1.0
    probes = _single_probes(n) if group is None else probes_of(mean[which[0]], group)
    counts = np.empty((len(probes), 1 + len(SCALES)), np.int64)
    spread = NO_VARIANCE if variance is None else variance
    ids = NO_GROUP if group is None else group
    if coincidences(mean, spread, ids, tau, largest, which, probes, counts) == 1:
        return 1.0
    return 1.0 / float(different(counts, NO_GROUP if group is None else group[probes]))


@functools.lru_cache(maxsize=4)
def _single_probes(n: int) -> NDArray[np.int64]:
    return evenly_spread(n, PROBES)
