"""Rows of some inputs, evenly spread over the window, whose neighbours `repeats` counts where inputs have several rows.

Of an input with few rows, all are probes. Of one with many, half of the probes are spread over its places, and half are
the places furthest from the median: most places may have one value.
"""

import functools

import numpy as np
from numpy.typing import NDArray

from .._jit import helper, kernel

INPUTS, MAX_PLACES = 12, 16
"""Number of inputs that are looked at, and the largest number of rows of each."""
GOLDEN = 0.6180339887498949
SPREAD, FAR = 1, 2
"""Marks of a row: one of those spread over the places, one of those far from the median."""


def evenly_spread(n: int, count: int) -> NDArray[np.int64]:
    """Return `count` of n rows, from every part of the window, at distances that no period of the data shares."""
    return (np.arange(count) * GOLDEN % 1.0 * n).astype(np.int64)


@helper
def _choose_places(first, start, stop, centre, marks):
    """Mark the probes of an input with many rows, from `start` to `stop`."""
    for k in range(MAX_PLACES // 2):
        marks[start + int(k * GOLDEN % 1.0 * (stop - start))] |= SPREAD
    for _ in range(MAX_PLACES // 2):
        furthest, place = -2.0, start
        for i in range(start, stop):
            apart = abs(np.float64(first[i]) - centre)
            apart = apart if apart < np.inf else -1.0
            if apart > furthest and marks[i] & FAR == 0:
                furthest, place = apart, i
        marks[place] |= FAR


@kernel("int64(float32[::1], int32[::1], int64[::1], float64, int64[::1], int64[::1])")
def choose_probes(first, group, around, centre, marks, probes):
    """Fill probes with the probes of the inputs of the rows `around`, which ascend; return their number.

    first (n,): means of a dimension, and `centre` their median. group (n,): the input of each row, rows of one side by
    side. marks (n,) is work space. If an input has many rows and the centre is NaN, which is not needed without one,
    return 0.
    """
    count, n = 0, group.shape[0]
    for k in range(around.shape[0]):
        row = around[k]
        start, stop = row, row + 1
        while start > 0 and group[start - 1] == group[row]:
            start -= 1
        while stop < n and group[stop] == group[row]:
            stop += 1
        if count > 0 and probes[count - 1] >= start:
            continue
        many = stop - start > MAX_PLACES
        if many and centre != centre:
            return 0
        for i in range(start, stop):
            marks[i] = 0 if many else SPREAD
        if many:
            _choose_places(first, start, stop, centre, marks)
        for i in range(start, stop):
            if marks[i] > 0:
                probes[count] = i
                count += 1
    return count


def probes_of(first: NDArray[np.float32], group: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the probes, in the order of the window; first (n,) are the means of a dimension."""
    room = np.empty(len(group) + INPUTS * MAX_PLACES, np.int64)
    marks, probes = room[: len(group)], room[len(group) :]
    around = _in_order(len(group))
    count = choose_probes(first, group, around, np.nan, marks, probes)
    if count == 0:
        finite = first[np.isfinite(first)]
        count = choose_probes(first, group, around, float(np.median(finite)) if finite.size else 0.0, marks, probes)
    return probes[:count]


@functools.lru_cache(maxsize=4)
def _in_order(n: int) -> NDArray[np.int64]:
    return np.sort(evenly_spread(n, INPUTS))
