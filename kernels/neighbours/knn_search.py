"""Exact distances to the k nearest other rows, in d dimensions.

A k-d tree whose leaves are large: rows are brought into leaves by median splits, every pair of leaves is visited once,
and only where their boxes are near enough. Within a pair all loops are over the columns of a leaf and free of branches,
for the compiler to do many at once; so it is a tree in few dimensions and a brute force in many, where trees prune
nothing. Distances are sums of squared differences, which cancel nothing. Shape: x (d, n) float32, below 10^17.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .._jit import kernel

F32 = NDArray[np.float32]

ZERO = np.float32(0)
ROUNDING_FACTOR = np.float32(1 - 1e-5)
"""Factor on the distance to a box: a box is skipped only if it is too far away by more than rounding errors."""
LEAF = 320
"""Largest number of rows of a leaf, the fastest in trials. In few dimensions many boxes are far apart: leaves are
smaller."""
SPARE_COORDINATE = np.float32(1e18)
"""Coordinate of a column that stands for no row: no row comes near it, and its square is finite."""
MAX_ONE_LEAF = 1024
"""Largest number of rows in a single leaf: building a tree costs more than it saves."""


@kernel("void(float32[:, :, ::1], float32[:, :, ::1], float32[::1], float32[::1], float32[:, :, ::1])")
def search(leaves, boxes, room, widest, out):
    """Put squared distances of every column of leaves (L, d, m) to its k nearest others into out (L, 1 + k, m).

    d is even. boxes (L, 2, d) hold the least and the greatest coordinates of the leaves. Work space: room (m,), and
    widest (L,), which the caller fills with infinity. The caller sets row 0 of out to 0 and the other rows to infinity;
    these then hold the distances, ascending. A column that stands for no row has SPARE_COORDINATE as its first
    coordinate, and 0 in all rows of out.
    """
    count, d, m = leaves.shape
    last = out.shape[1] - 1
    for step in range(count):
        for a in range(count - step):
            b = a + step
            wide = widest[b]
            gap = ZERO
            for c in range(d):
                apart = max(boxes[a, 0, c] - boxes[b, 1, c], boxes[b, 0, c] - boxes[a, 1, c], ZERO)
                gap += apart * apart
            if gap * ROUNDING_FACTOR > max(widest[a], wide):
                continue
            for i in range(m):
                most = out[a, last, i]
                gap = ZERO
                for c in range(d if step > 0 else 0):
                    apart = max(boxes[b, 0, c] - leaves[a, c, i], leaves[a, c, i] - boxes[b, 1, c], ZERO)
                    gap += apart * apart
                if not gap * ROUNDING_FACTOR < max(most, wide):
                    continue
                start = i + 1 if step == 0 else 0
                size = m - start
                far = room[start:]
                for j in range(size):
                    far[j] = ZERO
                for c in range(0, d, 2):
                    first, second = leaves[b, c, start:], leaves[b, c + 1, start:]
                    p0, q0 = leaves[a, c, i], leaves[a, c + 1, i]
                    for j in range(size):
                        p, q = first[j] - p0, second[j] - q0
                        far[j] += p * p + q * q
                near, limit = False, out[b, last, start:]
                for j in range(size):
                    near |= far[j] < (most if most > limit[j] else limit[j])
                if not near:
                    continue
                # i as a neighbour of the columns of b: sorted insertion by minima and maxima
                for k in range(last, 0, -1):
                    here, nearer = out[b, k, start:], out[b, k - 1, start:]
                    for j in range(size):
                        p = far[j] if far[j] > nearer[j] else nearer[j]
                        here[j] = p if p < here[j] else here[j]
                # the columns of b as neighbours of i
                for j in range(size):
                    p = far[j]
                    if p < most:
                        k = last
                        while out[a, k - 1, i] > p:
                            out[a, k, i] = out[a, k - 1, i]
                            k -= 1
                        out[a, k, i] = p
                        most = out[a, last, i]
            for leaf in range(a, b + 1, max(step, 1)):
                top = ZERO
                for i in range(m):
                    top = max(top, out[leaf, last, i])
                widest[leaf] = top


def _split(x: F32, levels: int) -> NDArray[np.int64]:
    """List the columns of x (d, n) leaf by leaf; n is a multiple of 2^levels.

    Every level splits the columns at the median of their widest dimension.
    """
    n = x.shape[1]
    order = np.arange(n)
    for level in range(levels):
        parts = order.reshape(1 << level, -1)
        some = np.take(x, parts[:, ::8], axis=1)  # the spans need not be exact
        widest = (some.max(axis=2) - some.min(axis=2)).argmax(axis=0)
        values = np.take(x.ravel(), parts + (widest * n)[:, None])
        halves = np.argpartition(values, parts.shape[1] // 2, axis=1)
        order = np.take_along_axis(parts, halves, axis=1).ravel()
    return order


def _searched(leaves: F32, boxes: F32, k: int, spare: NDArray[np.bool_] | None = None) -> F32:
    """Run `search` with its work space; spare (L, m) marks the columns that stand for no row."""
    count, _, m = leaves.shape
    out = np.full((count, 1 + k, m), np.inf, np.float32)
    out[:, 0] = 0
    if spare is not None:
        leaves[:, 0][spare] = SPARE_COORDINATE
        out.swapaxes(1, 2)[spare] = 0
    search(leaves, boxes, np.empty(m, np.float32), np.full(count, np.inf, np.float32), out)
    return out[:, 1:]


def nearest(x: F32, k: int) -> F32:
    """Return the squared distances of the columns of x (d, n) to the k nearest others, ascending, (k, n).

    They are infinite beyond the n - 1 others.
    """
    d, n = x.shape
    if d % 2:
        x = np.concatenate([x, np.zeros((1, n), np.float32)])
    if n <= MAX_ONE_LEAF:
        alone: F32 = _searched(np.ascontiguousarray(x)[None], np.zeros((1, 2, len(x)), np.float32), k)[0]
        return alone
    levels = math.ceil(math.log2(n / min(LEAF, 12 * d * d)))
    total = n + -n % (1 << levels)
    x = np.concatenate([x, x[:, : total - n]], axis=1)  # spare columns fill the last leaf, out of reach
    order = _split(x, levels)
    leaves = np.ascontiguousarray(np.take(x, order, axis=1).reshape(len(x), 1 << levels, -1).swapaxes(0, 1))
    boxes = np.stack([leaves.min(axis=2), leaves.max(axis=2)], axis=1)
    squares = np.empty((k, total), np.float32)
    spare = (order >= n).reshape(1 << levels, -1)
    squares[:, order] = _searched(leaves, boxes, k, spare).swapaxes(0, 1).reshape(k, total)
    return squares[:, :n]
