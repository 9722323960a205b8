"""The mask of `classify`: an array beside an array, or chunks beside chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.masks import places_of_mask
from ..arrays.rows import Floats
from ..errors import PolarMonitorError
from .source import Source, read, read_chunk


class Masks(Source):
    """Mask of all rows; True at real data."""

    def __init__(self, mask: Any, means: Source) -> None:
        super().__init__("mask", mask)
        if (self.shape is None) != (means.shape is None):
            kinds = ("chunks", "an array") if means.shape is None else ("an array", "chunks")
            raise PolarMonitorError(f"mask: expected {kinds[0]}, as mean, got {kinds[1]}")

    def of(self, start: int, mean: Floats, letters: str) -> NDArray[np.bool_]:
        """Return which places of a part of the means, the rows from `start` on, are real data: (n, P) or (n, 1)."""
        if self.chunks is None:
            mask = read(self.word, self._rows(start, start + len(mean)))[0]
        else:
            chunk = next(self.chunks, None)
            if chunk is None:
                raise PolarMonitorError(f"mask: expected a chunk for each of mean, got none after row {start}")
            mask = read_chunk(self.word, chunk)[0]
        try:
            return np.asarray(places_of_mask(mask, letters, mean.shape) != 0)
        except ValueError as failure:
            raise PolarMonitorError(str(failure)) from None
