"""Short floats: the float32 numbers of which only the first 2 or 3 bytes are not zero.

Three bytes keep 16 significant bits, which six decimal digits name: an error of at most 1 in 65,536. Two bytes keep 8
bits, which four digits name: at most 1 in 256. The range is that of float32.
"""

from __future__ import annotations

import binascii
import math
import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.light.kinds import LARGEST as LARGEST

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]

DECIMALS = {2: 4, 3: 6}
"""Significant decimal digits that name a short float of so many bytes."""
MAX_BYTES = 3
DEFLATED = "z:"
"""Begin of a text that is deflated; no base64 contains it."""
NO_BYTES: Bytes = np.empty((0, 0), np.uint8)


class Shortened(NamedTuple):
    """Rows of numbers, rounded."""

    values: Array
    """(k, D): NaN where a number was not finite, and no negative zero, which JSON does not distinguish."""
    kinds: Bytes
    """(k,): `UNKNOWN`, `CONSTANT` or `VARYING` of `kernels.light.kinds` for each row."""
    packed: Bytes
    """(k, 3 D): the first bytes of the numbers of each row, most significant byte first; (0, 0) unless asked for."""


def shortened(values: Array, sizes: NDArray[np.int64], pack: bool = False) -> Shortened:
    """Round the rows of values (k, D), in place, to the nearest short floats, each row to its own number of bytes.

    Ties go to even. A row of size 0 stays as it is.

    Example:
        >>> import numpy as np
        >>> shortened(np.array([[1 / 3, np.inf], [1 / 3, 1.0]]), np.array([3, 2])).values.tolist()
        [[0.33333587646484375, nan], [0.333984375, 1.0]]
    """
    from ..kernels.light.short import shorten  # not at import, which does without the compiler

    rows, dimensions = values.shape
    kinds = np.empty(rows, np.uint8)
    packed = np.empty((rows, MAX_BYTES * dimensions), np.uint8) if pack else NO_BYTES
    shorten(values, sizes, values, packed, kinds)
    return Shortened(values, kinds, packed)


def packed_text(row: Bytes, deflate: bool = False) -> str:
    """Return the bytes of short floats, (size · D,) of a row of `packed`, as base64.

    `deflate` shortens numbers that recur, as those that are not known do; the text begins with `DEFLATED` then.
    """
    data = zlib.compress(row.data, level=1) if deflate else row.data
    return (DEFLATED if deflate else "") + binascii.b2a_base64(data, newline=False).decode("ascii")


def unpacked(text: str, size: int, count: int) -> Array:
    """Return the numbers of `packed_text`. Raises ValueError unless there are `count` numbers."""
    data = binascii.a2b_base64(text.removeprefix(DEFLATED), strict_mode=True)
    if text.startswith(DEFLATED):
        stream = zlib.decompressobj()
        try:
            data = stream.decompress(data, size * count + 1)  # one more shows that there are too many
        except zlib.error as failure:
            raise ValueError(f"expected deflated numbers: {failure}") from None
        if len(data) <= size * count and not stream.eof:
            raise ValueError("expected deflated numbers, got a part of them")
    first = np.frombuffer(data, np.uint8)
    if first.size != size * count:
        raise ValueError(f"expected {count} numbers of {size} bytes each, got {first.size} bytes")
    bytes_ = np.zeros((count, 4), np.uint8)
    bytes_[:, :size] = first.reshape(count, size)
    return bytes_.view(">u4")[:, 0].astype(np.uint32).view(np.float32).astype(np.float64) + 0.0


def read_array(value: Any, size: int, dimensions: int) -> Array:
    """Return a statistic of a line, (D,): its one number, its list or its text of short floats of `size` bytes."""
    if isinstance(value, str):
        return unpacked(value, size, dimensions)
    if not isinstance(value, list):
        return np.full(dimensions, math.nan if value is None else float(value))
    if len(value) != dimensions:
        raise ValueError(f"expected {dimensions} numbers, got {len(value)}")
    return np.array([math.nan if number is None else number for number in value], np.float64)
