"""Memory that the kernels of a light evaluation work in. It is kept from one evaluation to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernels import posterior, quadrature
from ..kernels.light import dimensions
from .array_types import F32


class WorkSpace:
    """Memory for windows of D dimensions and at most n rows. The kernels say what each part is for."""

    def __init__(self, dimensions_: int, rows: int) -> None:
        D, n = dimensions_, rows
        self.rows = n
        self.prior = np.empty((2, D))
        self.room = np.empty((4, n), np.float32)
        self.room_bits = self.room.view(np.int32)
        self.logs = np.empty(n)
        self.part = np.empty((posterior.SUMS + 1, posterior.WIDTH))
        self.table = np.empty((D, posterior.OUT))
        """The description of the rows."""
        self.block = np.empty((len(dimensions.NAMES), D))
        """The statistics."""
        self.described, self.notes = np.empty((7, D)), np.empty((4, D))
        self.lists = np.empty((3, D), np.int64)
        self.result, self.depths = np.empty((D, 3)), np.empty((D, 4))
        self.places = np.empty((3, max(n, quadrature.TABLE)), np.int32)
        self.cells = np.empty((self.places.shape[1], 4))
        self.packed = np.empty((n, 11))
        self.segments = np.empty((4, n + quadrature.OCTAVES))
        self.numbers = np.empty((8, quadrature.ALL_LEVELS + 1))
        self.counters = np.empty((5, quadrature.ALL_LEVELS), np.int64)
        self.kinds = np.empty(len(dimensions.NAMES), np.uint8)
        self._codes: F32 | None = None
        self.ones = np.ones(D)
        self.about = np.empty((4, D))
        """Mean, variance and movement of codes around the means of their steps, and the error of the movement."""
        self._spread: tuple[F32, NDArray[np.int32]] | None = None
        self._nodes: dict[bool, NDArray[np.float64]] = {}

    def bits_of(self, spread: F32) -> NDArray[np.int32]:
        """Return a variance as the bits of its numbers."""
        if self._spread is None or self._spread[0] is not spread:
            self._spread = spread, spread.view(np.int32)
        return self._spread[1]

    def release_copies(self, spread: F32 | None) -> None:
        """Keep no other variance than this one, the memory of the window itself."""
        if self._spread is not None and self._spread[0] is not spread:
            self._spread = None

    def codes(self, rows: int) -> F32:
        """Return memory (D, rows) for codes around the means of their steps."""
        if self._codes is None:
            self._codes = np.empty(self.block.shape[1] * self.rows, np.float32)
        dimensions = self.block.shape[1]
        return self._codes[: dimensions * rows].reshape(dimensions, rows)

    def nodes(self, ordered: bool) -> NDArray[np.float64]:
        """Return memory for the grids of the quadrature, whose rows come `ordered` or not."""
        if ordered not in self._nodes:
            self._nodes[ordered] = np.empty((3, quadrature.nodes(self.rows, ordered)))
        return self._nodes[ordered]
