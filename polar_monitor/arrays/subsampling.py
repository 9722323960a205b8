"""An even choice of rows: one of each block of 2, 4, 8 … rows, picked by a hash of the block's number.

Equal steps would see only some phases of rows that come in a pattern, such as the positions of an image in turn. The
choices nest: the row of a block of 2m rows is one of the two rows of its halves. A stream that is thinned out again
whenever it has grown therefore keeps the same rows as an array that is thinned out once.

A choice with h halvings keeps one row of each 2^h.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: consecutive numbers times this are well spread (Knuth 1998, 6.4)."""


def halvings_needed(rows: int, max_rows: int) -> int:
    """Return the smallest h for which one of each 2^h of `rows` is at most `max_rows`."""
    return max(-(-rows // max_rows) - 1, 0).bit_length()


def row_of_block(blocks: Any, halvings: int) -> NDArray[np.int64]:
    """Return the row that each of these blocks of 2^halvings rows keeps; `blocks` are numbers of blocks."""
    rows = np.asarray(blocks, np.int64)
    for size in range(halvings, 0, -1):
        mixed = (rows.astype(np.uint64) + np.uint64(size << 57)) * GOLDEN_RATIO
        mixed = (mixed ^ (mixed >> np.uint64(32))) * GOLDEN_RATIO
        rows = 2 * rows + (mixed >> np.uint64(63)).astype(np.int64)
    return rows


def kept_rows(start: int, stop: int, halvings: int) -> NDArray[np.int64]:
    """Return the rows from `start` to `stop` that are kept, ascending: one of each 2^halvings."""
    if stop <= start:
        return np.zeros(0, np.int64)
    rows = row_of_block(np.arange(start >> halvings, ((stop - 1) >> halvings) + 1), halvings)
    return rows[(rows >= start) & (rows < stop)]
