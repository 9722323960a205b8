"""Transposition of rows (n, D), as a host gives them, into a part of the columns (D, W) that the kernels read."""

from ._jit import kernel

UNROLLED = 4
"""Dimensions that are moved at once: of 8 or more the compiler makes scattered stores, which are slower."""

TILE = 256
"""Rows that are moved at once: more do not stay in the cache until their last dimensions are moved."""


@kernel("void(float32[:, ::1], float32[:, ::1], int64)")
def transpose(rows, out, place):
    """Write rows (n, D) to the columns of out (D, W) from `place` on; W is at least place + n."""
    n, dimensions = rows.shape
    for start in range(0, n, TILE):
        stop = min(start + TILE, n)
        for d in range(0, dimensions - UNROLLED + 1, UNROLLED):
            for i in range(start, stop):
                for k in range(UNROLLED):
                    out[d + k, place + i] = rows[i, d + k]
        for d in range(dimensions - dimensions % UNROLLED, dimensions):
            for i in range(start, stop):
                out[d, place + i] = rows[i, d]
