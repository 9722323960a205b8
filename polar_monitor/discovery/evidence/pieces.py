"""Pieces of what modules give: whole tensors, their halves, every second number, and single tokens.

A piece is a candidate for the mean or the spread of a latent. Its `slot` says where it comes from, and reads it again
from the output of a later forward.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .seen import F32, Path, Seen, member, shown

MAX_TOKENS = 2
"""Tokens at the beginning of a sequence that may be mean and spread."""


class Cut(NamedTuple):
    """A part of a tensor along one axis, counted from the end if negative."""

    kind: str
    """"half", "alternate" or "token"."""
    axis: int
    number: int

    def of(self, tensor: Any) -> Any:
        """Return the part of an array or a tensor. Compiled forwards run this."""
        if self.kind == "token":
            return tensor[self.number] if self.axis == 0 else tensor[:, self.number]
        if self.kind == "alternate":
            return tensor[..., self.number :: 2]
        half = tensor.shape[self.axis] // 2
        start, stop = (0, half) if self.number == 0 else (half, 2 * half)
        return tensor[:, start:stop] if self.axis == 1 else tensor[..., start:stop]

    def __str__(self) -> str:
        if self.kind == "half":
            return f"{('first', 'second')[self.number]} half of its {'channels' if self.axis == 1 else 'last axis'}"
        if self.kind == "alternate":
            return f"{('even', 'odd')[self.number]} numbers of its last axis"
        return f"token {self.number} of its {'first' if self.axis == 0 else 'second'} axis"


class Slot(NamedTuple):
    """Where a piece comes from: a module's output, a path in it, and a part of that tensor."""

    module: str
    path: Path
    cut: Cut | None

    def read(self, output: Any) -> Any:
        """Return the piece of a module's output. Compiled forwards run this."""
        tensor = member(output, self.path)
        return tensor if self.cut is None else self.cut.of(tensor)

    def __str__(self) -> str:
        name = repr(self.module) if self.module else "the model's output"
        place = f"{name}{shown(self.path)}"
        return place if self.cut is None else f"the {self.cut} of {place}".replace("of its", f"of {place}, its", 0)


class Piece(NamedTuple):
    """One candidate: its values are the first rows of the piece."""

    slot: Slot
    seen: Seen
    values: F32
    shape: tuple[int, ...]
    """Shape of the whole piece."""

    @property
    def key(self) -> tuple[int, int]:
        """Rows along the first axis and numbers in each: pieces of one latent agree in both."""
        return self.shape[0], int(np.prod(self.shape[1:]))


def pieces_of(seen: Seen) -> Iterator[Piece]:
    """Yield the pieces of one tensor."""
    block, shape = seen.block, seen.shape
    if block is None:
        return
    yield Piece(Slot(seen.module, seen.path, None), seen, block, shape)
    for cut in _cuts(shape):
        if cut.kind == "token" and cut.axis == 0 and cut.number >= len(block):
            continue
        everything = np.broadcast_to(np.float32(0), shape)
        yield Piece(Slot(seen.module, seen.path, cut), seen, cut.of(block), cut.of(everything).shape)


def _cuts(shape: tuple[int, ...]) -> Iterator[Cut]:
    axes = len(shape)
    if axes >= 2 and shape[-1] % 2 == 0:
        yield from (Cut("half", -1, index) for index in range(2))
        yield from (Cut("alternate", -1, index) for index in range(2))
    if axes >= 3 and shape[1] % 2 == 0:
        yield from (Cut("half", 1, index) for index in range(2))
    if axes == 3:
        yield from (Cut("token", axis, index) for axis in (0, 1) for index in range(min(MAX_TOKENS, shape[axis])))
