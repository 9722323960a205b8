"""Statistics rounded to short floats, as `arrays/short_floats.py` explains them: one visit of each number."""

import math

import numpy as np

from .._jit import kernel
from .kinds import CONSTANT, LARGEST, UNKNOWN, VARYING


@kernel("void(float64[:, ::1], int64[::1], float64[:, ::1], uint8[:, ::1], uint8[::1])")
def shorten(values, sizes, out, packed, kinds):
    """Fill out (k, D), which may be values (k, D) itself, with the nearest short floats of sizes (k,) bytes.

    A number that is not finite becomes NaN, and ties go to even. A row of size 0 stays as it is, but for a zero's sign.
    kinds (k,) receives the kind of each row. packed (k, 3 D or more) receives the first bytes of the numbers, the most
    significant one first; it may be (·, 0).
    """
    dimensions = values.shape[1]
    bits = np.empty(dimensions, np.uint32)
    single = bits.view(np.float32)
    for r in range(values.shape[0]):
        size = sizes[r]
        if size == 0:
            same, known = True, False
            for j in range(dimensions):
                value = values[r, j] + 0.0
                out[r, j] = value
                same &= value == out[r, 0]
                known |= value == value
            kinds[r] = CONSTANT if same else (VARYING if known else UNKNOWN)
            continue
        dropped = 32 - 8 * size
        half, kept = (1 << (dropped - 1)) - 1, (1 << 32) - (1 << dropped)
        for j in range(dimensions):
            value = values[r, j] if math.isfinite(values[r, j]) else np.nan
            value = -LARGEST if value < -LARGEST else value
            single[j] = np.float32(LARGEST if value > LARGEST else value)
        for j in range(dimensions):
            one = np.int64(bits[j])
            bits[j] = np.uint32((one + ((one >> dropped) & 1) + half) & kept)
        same = True
        for j in range(dimensions):
            out[r, j] = np.float64(single[j]) + 0.0
            same &= bits[j] == bits[0]
        kinds[r] = VARYING if not same else (CONSTANT if single[0] == single[0] else UNKNOWN)
        if packed.shape[1] > 0:
            for j in range(dimensions):
                for k in range(size):
                    packed[r, size * j + k] = np.uint8((np.int64(bits[j]) >> (24 - 8 * k)) & 255)
