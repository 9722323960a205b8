"""Candidates for the sample of a latent, and their numbers beside those of pieces."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal, NamedTuple

import numpy as np

from .pieces import Piece, arranged
from .seen import F32, Path
from .views import WORDS, View

Pairing = Literal["latest", "first"]


class SampleSlot(NamedTuple):
    """Where a sample was seen."""

    module: str
    is_output: bool
    path: Path
    call: int
    view: View
    pairing: Pairing = "latest"
    """Call of each module that the sample belongs to, of those before it: the latest, or the first of all, as for the
    first of samples that are stacked."""

    def __str__(self) -> str:
        name = repr(self.module) if self.module else "the model"
        place = f"the output of {name}" if self.is_output else f"what enters {name}"
        return WORDS[self.view.kind].format(self.view.size) + place


class Sample(NamedTuple):
    """A tensor that may be a sample."""

    slot: SampleSlot
    order: int
    values: F32
    """Its first rows, of large maps a corner."""
    shape: tuple[int, ...]
    """Shape of all of it."""
    mantissa: int
    """Mantissa bits of its type."""


class Lines(NamedTuple):
    """Numbers of a sample and of pieces, arranged in one order."""

    values: F32
    """A line for the sample, then one for each of these pieces."""
    places: list[int]
    """Numbers of these pieces."""
    width: int
    """Numbers of a row."""
    key: object
    """Equal for two samples of a step if the numbers of their pieces are."""
    sizes: tuple[int, ...] = ()
    """Shape of these numbers; () if they are a selection."""


def stacked(sample: Sample, pieces: Sequence[Piece], limit: int) -> Lines | None:
    """Return the numbers that a sample and pieces have in common, at most about `limit`; None if there are none."""
    target = sample.shape
    if sample.values.shape[1:] == target[1:]:  # complete: a piece that is only a corner decides
        corners = [piece.shape for piece in pieces if piece.values.shape[1:] != piece.shape[1:]]
        target = corners[0] if corners else target
    own = arranged(sample.values, sample.shape, target)
    parts = [(place, arranged(piece.values, piece.shape, target)) for place, piece in enumerate(pieces)]
    fitting = [(place, part) for place, part in parts if part is not None]
    if own is None or not fitting:
        return None
    sizes = [min(axis) for axis in zip(own.shape, *(part.shape for _, part in fitting), strict=True)]
    width = prod(sizes[1:])
    sizes[0] = min(sizes[0], max(1, limit // max(width, 1)))
    corner = tuple(slice(size) for size in sizes)
    lines = [part[corner].reshape(-1) for part in (own, *(part for _, part in fitting))]
    return Lines(np.stack(lines), [place for place, _ in fitting], width, (target, *sizes), tuple(sizes))


def fingerprint(values: F32) -> bytes:
    """Return bytes that are equal for equal first numbers, whatever the shape."""
    return values.flat[:64].tobytes()


def is_constant(values: F32) -> bool:
    """Return True if all numbers are equal."""
    return bool((values == values.flat[0]).all())
