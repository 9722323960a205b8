"""Rows of every dimension in sorted order, and the number of the row that each value came from.

Two ways give the same values. The radix sort takes the numbers of the rows along. NumPy's sort is the faster one where
the processor sorts in vector registers, and several times slower elsewhere: a trial decides, once in a process.
"""

import math
import time
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import helper, kernel

F32 = NDArray[np.float32]
U32 = NDArray[np.uint32]

DIGIT = 11
"""Bits of a digit of the radix sort: 2048 counters fit in the first-level cache."""
MAX_TWO_DIGIT_ROWS = 1 << 14
"""Largest number of rows for which two digits and a few insertions are faster than three digits."""
TRIAL_ROWS, TRIALS = 4096, 3
"""Rows and repetitions of the trial."""


@helper
def _move(keys, rows, at, place, low, shift, carry):
    """Bring keys[at] (n,), and rows[at] if `carry`, into the order of one digit, in the other half."""
    source, target, ids, moved = keys[at], keys[1 - at], rows[at], rows[1 - at]
    one, mask = np.uint32(1), np.uint32((1 << DIGIT) - 1)
    if carry:
        for i in range(keys.shape[1]):
            key = source[i]
            digit = (np.uint32(key - low) >> shift) & mask
            to = place[digit]
            place[digit] = to + one
            target[to] = key
            moved[to] = ids[i]
    else:
        for i in range(keys.shape[1]):
            key = source[i]
            digit = (np.uint32(key - low) >> shift) & mask
            to = place[digit]
            place[digit] = to + one
            target[to] = key


@helper
def _insertion_sorted(keys, rows, carry):
    """Sort nearly sorted keys by insertion. Return False, in any order, if too many are out of place."""
    budget = 4 * keys.shape[0]
    for i in range(1, keys.shape[0]):
        key = keys[i]
        if key < keys[i - 1]:
            row, j = rows[i], i
            while j > 0 and key < keys[j - 1]:
                keys[j] = keys[j - 1]
                if carry:
                    rows[j] = rows[j - 1]
                j -= 1
            keys[j] = key
            if carry:
                rows[j] = row
            budget -= i - j
            if budget < 0:
                return False
    return True


@kernel("void(uint32[:, ::1], uint32[:, ::1], uint32[:, ::1], uint32[:, ::1], uint32[:, ::1], uint32[:, ::1])")
def radix_sort(bits, keys, rows, counts, values, order):
    """Put the sorted rows of bits (D, n), the memory of float32, into `values` (D, n), in the order of their bits.

    Not-a-numbers come first or last, by their sign. order: (0, 0), or (D, n) to receive the numbers of the rows. Work
    space: keys (2, n), rows (2, n) and counts (3, 2^DIGIT).

    A stable radix sort takes digit by digit, from the lowest, of as many bits as the range of the keys has. In a small
    sample it takes the two highest digits only, and insertion sorts the few rows that are out of order. If insertion
    takes too long, three digits are sorted.
    """
    n, carry, size = bits.shape[1], order.shape[0] > 0, 1 << DIGIT
    sign, full, one, mask = np.uint32(0x80000000), np.uint32(0xFFFFFFFF), np.uint32(1), np.uint32(size - 1)
    zeros, ones, twos = counts[0], counts[1], counts[2]
    for d in range(bits.shape[0]):
        low, high, width = np.uint64(full), np.uint64(0), 0
        at = np.int64(0)  # a constant would have `_move` compiled twice
        here, source = bits[d], keys[0]
        for i in range(n):
            u = here[i]
            key = u ^ (full if u & sign else sign)  # of the order of the numbers
            source[i] = key
            low = key if key < low else low
            high = key if key > high else high
        for i in range(n if carry else 0):
            rows[0, i] = i
        while width < 32 and high - low >= np.uint64(1) << np.uint64(width):
            width += 1
        for digits in range(2 if n <= MAX_TWO_DIGIT_ROWS else 3, 4):
            first, source = max(width - digits * DIGIT, 0), keys[at]
            a, b, c = np.uint32(first), np.uint32(first + DIGIT), np.uint32(min(first + 2 * DIGIT, 31))
            for value in range(size):
                zeros[value] = ones[value] = 0
            for i in range(n):
                key = np.uint32(source[i] - low)
                zeros[(key >> a) & mask] += one
                ones[(key >> b) & mask] += one
            x = y = z = np.uint32(0)
            for value in range(size):  # the number of keys below each digit
                p, q = zeros[value], ones[value]
                zeros[value], ones[value] = x, y
                x, y = np.uint32(x + p), np.uint32(y + q)
            if digits == 3:
                for value in range(size):
                    twos[value] = 0
                for i in range(n):
                    twos[(np.uint32(source[i] - low) >> c) & mask] += one
                for value in range(size):
                    p = twos[value]
                    twos[value] = z
                    z = np.uint32(z + p)
            for turn in range(digits):
                shift = np.uint32(first + turn * DIGIT)
                if shift < width:
                    _move(keys, rows, at, counts[turn], low, shift, carry)
                    at = 1 - at
            if first == 0 or _insertion_sorted(keys[at], rows[at], carry):
                break
        out, ordered = values[d], keys[at]
        for i in range(n):
            key = ordered[i]
            out[i] = key ^ (sign if key & sign else full)
        for i in range(n if carry else 0):
            order[d, i] = rows[at, i]


class Room(NamedTuple):
    """Memory that is allocated once for many dimensions: fresh memory costs as much as sorting it."""

    values: F32
    """(k, n): sorted rows."""
    order: U32
    """(k, n): the numbers of the rows, or (0, 0) if they are not asked for."""
    keys: U32
    rows: U32
    counts: U32


def room(dimensions: int, n: int, ordered: bool) -> Room:
    """Return memory for the sorted rows (k, n) of up to so many dimensions."""
    order = np.empty((dimensions, n) if ordered else (0, 0), np.uint32)
    keys, rows = np.empty((2, 2, n), np.uint32)
    return Room(np.empty((dimensions, n), np.float32), order, keys, rows, np.empty((3, 1 << DIGIT), np.uint32))


def by_radix(x: F32, own: Room) -> tuple[F32, U32]:
    """Return the sorted rows of x (k, n), C-contiguous, and the numbers of the rows, in `own` memory."""
    values, order = own.values[: len(x)], own.order[: len(x)]
    radix_sort(x.view(np.uint32), own.keys, own.rows, own.counts, values.view(np.uint32), order)
    return values, order


def by_numpy(x: F32, own: Room) -> tuple[F32, U32]:
    """Return the sorted rows of x (k, n), in `own` memory, without the numbers of the rows."""
    values = own.values[: len(x)]
    values[:] = x
    values.sort(axis=1)
    return values, own.order


def sorted_rows(x: F32, own: Room) -> tuple[F32, U32]:
    """Return what `by_radix` does, in the faster way."""
    return by_radix(x, own) if own.order.size or not numpy_is_faster() else by_numpy(x, own)


@lru_cache(maxsize=1)
def numpy_is_faster() -> bool:
    """Return True if NumPy sorts TRIAL_ROWS rows faster than the radix sort, on this processor."""
    x = np.random.default_rng(0).standard_normal((1, TRIAL_ROWS), np.float32)
    own, times = room(1, TRIAL_ROWS, False), {by_radix: math.inf, by_numpy: math.inf}
    for _ in range(TRIALS):
        for way in times:
            start = time.perf_counter()
            way(x, own)
            times[way] = min(times[way], time.perf_counter() - start)
    return times[by_numpy] < times[by_radix]
