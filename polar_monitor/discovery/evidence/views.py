"""Views of a tensor that may hold a sample: all of it, some columns, one of several samples, axes in another order.

A view gives the sample in the shape of the mean, since a model may join it with conditions, draw it several times, or
turn its axes before the decoder takes it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from math import prod
from typing import NamedTuple

from .seen import F32

MAX_COPIES = 64
"""Samples of one input that are looked for."""
FULL_MANTISSA = 23
"""Mantissa bits of float32."""
DROPPED = (0.0, 0.98)
"""Shares of exact zeros that dropout leaves."""


class View(NamedTuple):
    """One way to read a sample."""

    kind: str
    """A key of `WORDS`; "" is all of the tensor as it is."""
    size: int = 0
    """Columns of it, or copies of each input."""

    @property
    def is_complete(self) -> bool:
        """True if the view leaves nothing out."""
        return self.kind in COMPLETE

    def of(self, block: F32, shape: tuple[int, ...]) -> tuple[F32, tuple[int, ...]] | None:
        """Return its first numbers, and the shape of all of it; None if the block does not hold it."""
        kind, size, last = self.kind, self.size, len(shape) - 1
        if kind == "":
            return block, shape
        if kind in ("first", "last", "front", "back"):
            axis = 1 if kind in ("first", "last") else last
            if len(shape) <= axis or axis < 1 or not 0 < size < shape[axis] or block.shape[axis] < shape[axis]:
                return None
            part = slice(size) if kind in ("first", "front") else slice(-size, None)
            return block[(slice(None),) * axis + (part,)], (*shape[:axis], size, *shape[axis + 1 :])
        if kind == "one":
            return (block[0], shape[1:]) if len(shape) > 2 else None
        if kind == "each":
            return (block[:, 0], (shape[0], *shape[2:])) if len(shape) > 2 else None
        if kind in PLACED:
            first, columns = PLACED[kind]
            one = View(first).of(block, shape)
            return None if one is None else View(columns, size).of(*one)
        if kind in ("tiled", "repeated"):
            if size < 2 or shape[0] % size:
                return None
            rows = shape[0] // size
            return (block[:rows] if kind == "tiled" else block[::size]), (rows, *shape[1:])
        if len(shape) < 3:
            return None
        order = {
            "swapped": (1, 0, *range(2, last + 1)),
            "channels moved to the front": (0, last, *range(1, last)),
            "channels moved to the end": (0, *range(2, last + 1), 1),
        }[kind]
        return block.transpose(order), tuple(shape[axis] for axis in order)


COMPLETE = {"", "swapped", "channels moved to the front", "channels moved to the end"}
PLACED = {
    f"{columns} at each {place}": (first, columns)
    for place, first in (("place", "each"), ("step", "one"))
    for columns in ("front", "back")
}
"""Samples that are repeated along the second or the first axis, each time beside other columns."""
WORDS = {
    "": "",
    "first": "the first {} columns of ",
    "last": "the last {} columns of ",
    "front": "the first {} numbers of the last axis of ",
    "back": "the last {} numbers of the last axis of ",
    "one": "the first of several samples in ",
    "each": "the first of several samples in ",
    "front at each place": "the first {} numbers at each place of ",
    "back at each place": "the last {} numbers at each place of ",
    "front at each step": "the first {} numbers at each step of ",
    "back at each step": "the last {} numbers at each step of ",
    "tiled": "the first of {} samples in ",
    "repeated": "the first of {} samples in ",
    "swapped": "with its first two axes swapped, ",
    "channels moved to the front": "with its last axis moved to the second place, ",
    "channels moved to the end": "with its second axis moved to the last place, ",
}
"""Views in words, before the name of the tensor."""


class Sizes(NamedTuple):
    """Sizes of the pieces that a sample may have."""

    numbers: Container[int]
    shapes: Container[tuple[int, ...]]
    rows: Container[tuple[int, int]]
    """(rows, numbers of a row)."""
    heads: Container[tuple[int, int, int]]
    """(rows, size of the second axis, numbers)."""
    tails: Container[tuple[int, int, int]]
    """(rows, size of the last axis, numbers)."""


def views_of(shape: tuple[int, ...], is_output: bool, sizes: Sizes) -> Iterator[View]:
    """Yield the views of a tensor that may be as large as some piece: complete ones, copies, columns."""
    numbers, last = prod(shape), len(shape) - 1
    if numbers in sizes.numbers:
        yield View("")
        if last > 1:
            if (shape[1], shape[0], *shape[2:]) in sizes.shapes:
                yield View("swapped")
            if (shape[0], shape[last], numbers) in sizes.heads:
                yield View("channels moved to the front")
            if last > 2 and (shape[0], shape[1], numbers) in sizes.tails:
                yield View("channels moved to the end")
    if last > 1:
        if shape[1:] in sizes.shapes:
            yield View("one")
        if (shape[0], *shape[2:]) in sizes.shapes:
            yield View("each")
    if is_output or not shape:
        return
    for copies in range(2, min(MAX_COPIES, shape[0] // 2) + 1):
        if shape[0] % copies == 0 and (shape[0] // copies, *shape[1:]) in sizes.shapes:
            yield View("tiled", copies)
            yield View("repeated", copies)
    for axis, kinds in ((1, ("first", "last")), (last, ("front", "back"))):
        if axis <= last and (axis > 1 or kinds[0] == "first"):
            row = numbers // shape[0] // shape[axis]
            for size in range(min(shape[axis] - 1, MAX_COLUMNS), 0, -1):
                if (shape[0], size * row) in sizes.rows:
                    yield from (View(kind, size) for kind in kinds)
    if last == 2:
        for size in range(min(shape[last] - 1, MAX_COLUMNS), 0, -1):
            for place, rows in (("place", shape[0]), ("step", shape[1])):
                if (rows, size) in sizes.rows:
                    yield from (View(f"{kind} at each {place}", size) for kind in ("front", "back"))


MAX_COLUMNS = 2048
"""Columns of a tensor that may belong to a sample among others."""


def share_of_zeros(values: F32) -> float:
    """Return the share of exact zeros."""
    return float((values == 0).mean()) if values.size else 0.0


def has_zeros(values: F32, mantissa: int = FULL_MANTISSA) -> bool:
    """Return True if some numbers are exactly 0: set so by dropout or a mask, as no noise is.

    In low precision a few are 0 by chance.
    """
    by_chance = 0.0 if mantissa >= FULL_MANTISSA else 2.0 ** (1 - mantissa)
    return max(DROPPED[0], by_chance) < share_of_zeros(values) < DROPPED[1]


def are_rows(values: F32) -> bool:
    """Return True if the zeros are complete rows of the last axis: of a mask, not of dropout."""
    zeros = values == 0
    return values.ndim > 1 and values.shape[-1] > 1 and bool((zeros.all(-1) == zeros.any(-1)).all())


def is_rectified(values: F32) -> bool:
    """Return True if no number is negative and some are 0: the output of a ReLU."""
    return float(values.min()) >= 0 and has_zeros(values)


def dropout_factor(values: F32) -> float:
    """Return the factor by which dropout of so many numbers has raised the others."""
    zeros = share_of_zeros(values)
    rounded = round(zeros * 20) / 20
    return 1 / (1 - (rounded if zeros > 0.05 and rounded < 1 else zeros))
