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

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import kernel

PROBES = 32
"""Number of rows whose neighbours are counted."""
PROBE_INPUTS, MAX_PLACES = 12, 16
"""Number of inputs of several rows that are looked at, and the largest number of rows of each."""
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
GOLDEN = 0.6180339887498949
FLOAT = "float32[:, ::1]"


@kernel(
    f"void({FLOAT}, {FLOAT}, int32[::1], float64, float64[::1], int64[::1], int64[::1], float32[::1], int64[:, ::1])"
)
def coincidences(mean, variance, group, tau, largest, which, probes, apart, counts):
    """Fill counts (probes, 5): the dimensions looked at, and the rows that coincide at each of `SCALES`.

    variance (D, n), or (0, 0) where tau is σ of all rows. which: the dimensions, in order of preference; a probe looks
    at the first of them whose variance is at most `largest` (D,). group (n,): further rows of the probe's own input do
    not count; empty if every row is an input. A row that is not finite coincides with none. apart (n,): work space.
    """
    n = mean.shape[1]
    for r in range(probes.shape[0]):
        probe, used = probes[r], 0
        for i in range(n):
            apart[i] = 0.0
        for w in range(which.shape[0]):
            d = which[w]
            square = np.float64(variance[d, probe]) if variance.shape[0] > 0 else tau * tau
            if used < MAX_DIMENSIONS and square <= largest[d] and math.isfinite(mean[d, probe]):
                used += 1
                mu, centre, by = mean[d], mean[d, probe], np.float32(1.0 / math.sqrt(square))
                for i in range(n):
                    distance = np.float32(abs(np.float32(mu[i] - centre)) * by)
                    distance = distance if distance == distance else np.float32(np.inf)
                    apart[i] = max(apart[i], distance)
                if variance.shape[0] > 0:
                    s2, width, by = variance[d], variance[d, probe], np.float32(1.0 / square)
                    for i in range(n):
                        distance = np.float32(abs(np.float32(s2[i] - width)) * by)
                        distance = distance if distance == distance else np.float32(np.inf)
                        apart[i] = max(apart[i], distance)
        if group.shape[0] > 0:
            for i in range(n):
                apart[i] = np.inf if group[i] == group[probe] else apart[i]
            apart[probe] = 0.0
        counts[r, 0] = used
        for k in range(1, counts.shape[1]):
            scale, here = np.float32(SCALES[k - 1]), 0
            for i in range(n):
                here += int(apart[i] <= scale)
            counts[r, k] = here if here > 1 else 1


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
    probes = _probes(mean[which[0]], group)
    counts = np.empty((len(probes), 1 + len(SCALES)), np.int64)
    spread = np.empty((0, 0), np.float32) if variance is None else variance
    ids = np.empty(0, np.int32) if group is None else group
    coincidences(mean, spread, ids, tau, largest, which, probes, np.empty(n, np.float32), counts)
    if group is not None:
        counts = _of_inputs(counts, group[probes])
    counts = counts[counts[:, 0] > 0]
    if len(counts) < MIN_PROBES:
        return 1.0
    several = counts[:, 0] > 1
    if enough := several.sum() >= MIN_PROBES:
        counts = counts[several]
    seen = counts[:, 1:]
    by_chance = (seen[:, :-1] - seen[:, 1:]) / (GROWTH - 1.0) * (np.array(SCALES[1:]) > 0.0)
    few = by_chance.sum(axis=0) <= MAX_BY_CHANCE * seen[:, 1:].sum(axis=0)
    few[0] &= enough
    different = 1.0
    for left in (seen[:, 1:] - by_chance).T[few]:
        share = 1.0 / np.maximum(left, 1.0)
        if share.mean() + SURE * share.std() / math.sqrt(len(share)) < 1.0:
            different = min(different, float(share.mean()))
    return 1.0 / different


def _probes(first: NDArray[np.float32], group: NDArray[np.int32] | None) -> NDArray[np.int64]:
    """Return the rows of the probes, from every part of the window, at distances that no period of the data shares.

    first (n,): means of the first dimension. Of an input with many rows, half of the probes are spread over its places,
    and half are the places furthest from the median: most places may have one value.
    """
    n = len(first)
    if group is None:
        return (np.arange(PROBES) * GOLDEN % 1.0 * n).astype(np.int64)
    finite = np.isfinite(first)
    values = np.where(finite, first, np.nan).astype(np.float64)
    apart = np.abs(values - np.median(values[finite])) if finite.any() else values
    chosen = []
    for one in np.unique(group[(np.arange(PROBE_INPUTS) * GOLDEN % 1.0 * n).astype(np.int64)]):
        rows = np.flatnonzero(group == one)
        if len(rows) > MAX_PLACES:
            spread = rows[(np.arange(MAX_PLACES // 2) * GOLDEN % 1.0 * len(rows)).astype(np.int64)]
            rows = np.append(spread, rows[np.argsort(-apart[rows])[: MAX_PLACES // 2]])
        chosen.append(np.unique(rows))
    return np.concatenate(chosen)


def _of_inputs(counts: NDArray[np.int64], inputs: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the counts of each input: the least that one of its rows sees, of those that look at most dimensions."""
    least = []
    for one in np.unique(inputs):
        of_one = counts[inputs == one]
        least.append(of_one[of_one[:, 0] == of_one[:, 0].max()].min(axis=0))
    return np.array(least)
