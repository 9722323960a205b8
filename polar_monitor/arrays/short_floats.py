"""Short floats: the float32 numbers of which only the first 2 or 3 bytes are not zero.

Three bytes keep 16 significant bits, which six decimal digits name: an error of at most 1 in 65,536. Two bytes keep 8
bits, which four digits name: at most 1 in 256. The range is that of float32.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bits = NDArray[np.uint32]

DECIMALS = {2: 4, 3: 6}
"""Significant decimal digits that name a short float of so many bytes."""
LARGEST = float(np.array(0x7F7F0000, np.uint32).view(np.float32))
"""Largest short float of two bytes; larger numbers become it."""


class Rounding:
    """Rounds the rows of a matrix to short floats, each row to its own number of bytes (`sizes`)."""

    def __init__(self, sizes: Sequence[int]) -> None:
        dropped = 32 - 8 * np.array(sizes, np.int64)[:, None]
        self._dropped = dropped.astype(np.uint32)
        self._below_half = (2 ** (dropped - 1) - 1).astype(np.uint32)
        self._kept = (2**32 - 2**dropped).astype(np.uint32)

    def __call__(self, values: Array) -> Bits:
        """Return the bits of the nearest short floats, ties to even (rows, D). What is not finite becomes NaN.

        Example:
            >>> import numpy as np
            >>> from_bits(Rounding([3, 2])(np.array([[1 / 3, np.inf], [1 / 3, 1.0]]))).tolist()
            [[0.33333587646484375, nan], [0.333984375, 1.0]]
        """
        values = np.where(np.isfinite(values), values, np.nan)
        bits = np.minimum(np.maximum(values, -LARGEST), LARGEST).astype(np.float32).view(np.uint32)
        return bits + (((bits >> self._dropped) & np.uint32(1)) + self._below_half) & self._kept


def from_bits(bits: Bits) -> Array:
    """Return short floats as float64, without a negative zero, which JSON does not distinguish."""
    return bits.view(np.float32).astype(np.float64) + 0.0


def packed(bits: Bits, size: int) -> str:
    """Return the first `size` bytes of each short float (D,), most significant byte first, as base64."""
    first = bits.astype(">u4").view(np.uint8).reshape(-1, 4)[:, :size]
    return binascii.b2a_base64(first.tobytes(), newline=False).decode("ascii")


def unpacked(text: str, size: int, count: int) -> Array:
    """Return the inverse of `packed`. Raises ValueError unless there are `count` numbers."""
    first = np.frombuffer(binascii.a2b_base64(text, strict_mode=True), np.uint8)
    if first.size != size * count:
        raise ValueError(f"expected {count} numbers of {size} bytes each, got {first.size} bytes")
    bytes_ = np.zeros((count, 4), np.uint8)
    bytes_[:, :size] = first.reshape(count, size)
    return from_bits(bytes_.view(">u4")[:, 0].astype(np.uint32))
