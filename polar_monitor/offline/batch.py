"""Rows of some inputs, and how they are taken from an array of any layout."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays.places import places_of, ranks_of, taken_of
from ..arrays.rows import F32, Floats


class Batch(NamedTuple):
    """Rows of some inputs, those of each input side by side."""

    mean: F32
    """(n, D)."""
    variance: F32 | None
    per: int | NDArray[np.int64]
    """Rows of each input: one number for all, or (n,)."""
    mantissa: int
    """Bits of the type that the means came in."""
    smallest: float
    """Smallest value of the spread, in its own unit; inf without one."""
    largest: float
    chosen: int
    """Places that the choice has gone through, padding included."""

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return len(self.mean) // self.per if isinstance(self.per, int) else len(self.per)

    @property
    def begins(self) -> int | NDArray[np.bool_]:
        """Rows of each input, or which rows (n,) begin one."""
        if isinstance(self.per, int):
            return self.per
        begins = np.zeros(len(self.mean), np.bool_)
        begins[np.cumsum(self.per) - self.per] = True
        return begins

    def some(self, inputs: NDArray[np.int64]) -> Batch:
        """Return the rows of some of the inputs, in this order."""
        if isinstance(self.per, int):
            keep: NDArray[Any] = (inputs[:, None] * self.per + np.arange(self.per)).ravel()
            per: int | NDArray[np.int64] = self.per
        else:
            starts, per = np.cumsum(self.per) - self.per, self.per[inputs]
            keep = np.repeat(starts[inputs] - (np.cumsum(per) - per), per) + np.arange(per.sum())
        variance = None if self.variance is None else self.variance[keep]
        return self._replace(mean=self.mean[keep], variance=variance, per=per)


def joined(held: list[tuple[Batch, NDArray[np.int64]]]) -> tuple[Batch, NDArray[np.int64]]:
    """Join batches, each with the numbers of its inputs, to one."""
    batches = [batch for batch, _ in held]
    first, numbers = batches[0], np.concatenate([numbers for _, numbers in held])
    if len(held) == 1:
        return first, numbers
    per: int | NDArray[np.int64] = first.per
    if not all(isinstance(batch.per, int) and batch.per == per for batch in batches):
        per = np.concatenate([np.broadcast_to(batch.per, batch.inputs) for batch in batches])
    variances = [batch.variance for batch in batches if batch.variance is not None]
    return Batch(
        np.concatenate([batch.mean for batch in batches]),
        np.concatenate(variances) if variances else None,
        per,
        min(batch.mantissa for batch in batches),
        min(batch.smallest for batch in batches),
        max(batch.largest for batch in batches),
        sum(batch.chosen for batch in batches),
    ), numbers


def rows_of(array: Floats, letters: str, before: int | NDArray[np.int64] = 0) -> tuple[Floats, int]:
    """Return a latent as rows (n · p, D), and the p rows of an input: `capture.output_rows.rows_of` for arrays.

    `letters` are those of its axes (`arrays.layout`). `before` is the number of rows that came earlier, since every row
    continues the choice of places; or (n, 1), if it differs.
    """
    if letters in ("n", "nd"):
        return array.reshape(len(array), -1), 1
    inputs, dimensions = letters.index("n"), letters.index("d")
    places = [axis for axis in range(array.ndim) if axis not in (inputs, dimensions)]
    array = array.transpose(inputs, *places, dimensions)
    flat, sizes = array.reshape(len(array), -1, array.shape[-1]), array.shape[1:-1]
    taken = taken_of(flat.shape[1])
    if taken < flat.shape[1]:
        points = before + np.arange(len(flat) * taken).reshape(-1, taken)
        flat = flat[np.arange(len(flat))[:, None], places_of(points, sizes)]
    return flat.reshape(-1, flat.shape[-1]), taken


def valid_rows(
    array: Floats, letters: str, before: int | NDArray[np.int64], valid: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.int64], int]:
    """Return the rows (m, D) of the valid places (n, P) that are taken, the number of each input, and of all points.

    An input without a valid place is none.
    """
    inputs = letters.index("n")
    dimensions = letters.find("d")
    places = [axis for axis in range(array.ndim) if axis not in (inputs, dimensions)]
    ordered = array.transpose(inputs, *places, *([dimensions] if dimensions >= 0 else []))
    flat = ordered.reshape(len(ordered), math.prod(ordered.shape[1 : 1 + len(places)]), -1)
    valid = np.broadcast_to(valid, flat.shape[:2])
    taken, counts = taken_of(flat.shape[1]), valid.sum(1, keepdims=True)
    points = before + np.arange(len(flat) * taken).reshape(-1, taken)
    ranks = ranks_of(points, counts, taken) if flat.shape[1] > 1 else np.zeros_like(points)
    order = np.argsort(~valid, axis=1, kind="stable")
    chosen = np.take_along_axis(order, np.minimum(ranks, flat.shape[1] - 1), axis=1)
    present = ranks < counts
    counts = present.sum(1)
    return flat[np.arange(len(flat))[:, None], chosen][present], counts[counts > 0], points.size
