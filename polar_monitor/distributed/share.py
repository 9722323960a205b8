"""Rows that one rank contributes to a merge, and the choice of them where all ranks together have too many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays.rows import F32
from ..arrays.spread import UNITS

MAX_NUMBERS = 2**21
"""Numbers of a merged window, 16 MB in float64."""
MAX_ROWS = 2**16
"""Rows of a merged window."""
KINDS = (None, *sorted(UNITS))
"""Units of the spread."""
MIX = np.uint64(0x9E3779B97F4A7C15)


class Share(NamedTuple):
    """Window and counters of one rank in one mode."""

    mean: F32
    """(n, D), rows of an input side by side."""
    variance: F32 | None
    inputs: NDArray[np.int64]
    """Number of the input of each row."""
    steps: NDArray[np.int64]
    """Optimiser step of each row."""
    non_finite: NDArray[np.int64]
    """(D,)."""
    counts: NDArray[np.int64]
    """Rows in all, and further counters that add up over the ranks."""
    mantissa: int
    kind: str | None = None
    """Unit in which the spread came; None without one."""

    @property
    def rows(self) -> int:
        """Number of rows of the window."""
        return len(self.mean)

    @property
    def form(self) -> int:
        """Number that says how many dimensions there are, and which spread; above 0."""
        return int(len(KINDS) * self.mean.shape[1] + KINDS.index(self.kind))

    def chosen(self, quota: int) -> Share:
        """Return whole inputs with at most `quota` rows in all, chosen evenly by a hash of their place."""
        if self.rows <= quota:
            return self
        starts = np.flatnonzero(np.diff(self.inputs, prepend=self.inputs[0] - 1))
        sizes = np.diff(starts, append=self.rows)
        order = np.argsort(mixed(np.arange(len(starts), dtype=np.uint64)), kind="stable")
        kept = np.zeros(len(starts), np.bool_)
        kept[order[: int(np.searchsorted(np.cumsum(sizes[order]), quota, side="right"))]] = True
        rows = np.repeat(kept, sizes)
        variance = None if self.variance is None else self.variance[rows]
        return self._replace(mean=self.mean[rows], variance=variance, inputs=self.inputs[rows], steps=self.steps[rows])


def in_order(share: Share) -> Share:
    """Sort inputs by step and content, so that the order does not depend on the ranks; number them from 0.

    Inputs of one step are sorted by a 64-bit hash of their first row.
    """
    if not share.rows:
        return share
    starts = np.flatnonzero(np.diff(share.inputs, prepend=share.inputs[0] - 1))
    sizes = np.diff(starts, append=share.rows)
    order = np.lexsort((_hashes(share, starts), share.steps[starts]))
    sizes = sizes[order]
    rows = np.repeat(starts[order] - (np.cumsum(sizes) - sizes), sizes) + np.arange(share.rows)
    variance = None if share.variance is None else share.variance[rows]
    inputs = np.repeat(np.arange(len(starts)), sizes)
    return share._replace(mean=share.mean[rows], variance=variance, inputs=inputs, steps=share.steps[rows])


def quotas(rows: NDArray[np.int64], dimensions: int, has_variance: bool) -> NDArray[np.int64]:
    """Return how many rows each rank contributes: all of them, or as many of each as the bound allows.

    With more ranks than the bound has rows, single ranks contribute one, in the order of their numbers.
    """
    bound = min(MAX_ROWS, max(512, MAX_NUMBERS // (dimensions * (1 + has_variance))))
    total = int(rows.sum())
    if total <= bound:
        return rows
    shares = rows * bound // total
    return shares if 2 * shares.sum() >= bound else np.diff(np.cumsum(rows) * bound // total, prepend=0)


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash numbers."""
    numbers = (numbers + np.uint64(1)) * MIX
    numbers = (numbers ^ (numbers >> np.uint64(32))) * MIX
    return numbers ^ (numbers >> np.uint64(29))


def _hashes(share: Share, starts: NDArray[np.intp]) -> NDArray[np.uint64]:
    total = np.zeros(len(starts), np.uint64)
    for side, values in enumerate((share.mean, share.variance)):
        if values is not None:
            bits = np.ascontiguousarray(values[starts]).view(np.uint32).astype(np.uint64)
            places = mixed(np.arange(bits.shape[1], dtype=np.uint64) + np.uint64(side << 32))
            total += (mixed(bits + places) * (places | np.uint64(1))).sum(axis=1, dtype=np.uint64)
    return total
