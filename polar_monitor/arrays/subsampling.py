"""One row of each block of 2, 4, 8 … rows: which, a hash of the block decides.

Even steps would see only some phases of rows that come in a pattern, such as the positions of an image in turn. The
choices nest: the row of a block of 2m is one of those of its halves, so a stream that gets longer and is thinned again
ends where an array is thinned at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: consecutive numbers times this are well spread (Knuth 1998, 6.4)."""


def level(given: int, most: int) -> int:
    """The least L for which one of each 2^L of so many rows is at most `most`."""
    return max(-(-given // most) - 1, 0).bit_length()


def path(blocks: Any, of: int) -> NDArray[np.int64]:
    """The rows chosen in the blocks with these numbers, of 2^of rows each."""
    rows = np.asarray(blocks, np.int64)
    for size in range(of, 0, -1):
        mixed = (rows.astype(np.uint64) + np.uint64(size << 57)) * GOLDEN_RATIO
        mixed = (mixed ^ (mixed >> np.uint64(32))) * GOLDEN_RATIO
        rows = 2 * rows + (mixed >> np.uint64(63)).astype(np.int64)
    return rows


def chosen(start: int, stop: int, of: int) -> NDArray[np.int64]:
    """The chosen rows from start to stop, one of each 2^of, ascending."""
    rows = path(np.arange(start >> of, ((stop - 1) >> of) + 1), of) if stop > start else np.zeros(0, np.int64)
    return rows[(rows >= start) & (rows < stop)]
