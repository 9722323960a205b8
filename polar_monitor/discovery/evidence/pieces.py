"""Pieces of what modules give: complete tensors, their halves, every second number, and single tokens.

A piece is a candidate for the mean or the spread of a latent. Its `slot` says where it comes from, and reads it again
from the output of a later forward.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

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
        return self.of_block(tensor, tensor.shape)

    def of_block(self, block: Any, shape: tuple[int, ...]) -> Any:
        """Return the part of the corner of a tensor of this shape."""
        if self.kind == "token":
            return block[self.number] if self.axis == 0 else block[:, self.number]
        if self.kind == "alternate":
            return block[..., self.number :: 2]
        half = shape[self.axis] // 2
        start, stop = (0, half) if self.number == 0 else (half, 2 * half)
        return block[:, start:stop] if self.axis == 1 else block[..., start:stop]

    def shape_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the part of a tensor of this shape."""
        axis = self.axis % len(shape)
        if self.kind == "token":
            return (*shape[:axis], *shape[axis + 1 :])
        return (*shape[:axis], shape[axis] // 2, *shape[axis + 1 :])

    def is_in(self, block: F32, shape: tuple[int, ...]) -> bool:
        """Return True if the part can be read from the corner of a tensor of this shape."""
        return self.number < len(block) if self.axis == 0 else block.shape[self.axis] == shape[self.axis]

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
    """One candidate."""

    slot: Slot
    seen: Seen
    values: F32
    """Its first rows, of large maps a corner."""
    shape: tuple[int, ...]
    """Shape of the complete piece."""

    @property
    def numbers(self) -> int:
        """Numbers of the complete piece: those of one latent agree."""
        return prod(self.shape)


def pieces_of(seen: Seen) -> Iterator[Piece]:
    """Yield the pieces of one tensor."""
    block, shape = seen.block, seen.shape
    if block is None:
        return
    yield Piece(Slot(seen.module, seen.path, None), seen, block, shape)
    for cut in _cuts(shape):
        if cut.is_in(block, shape):
            yield Piece(Slot(seen.module, seen.path, cut), seen, cut.of_block(block, shape), cut.shape_of(shape))


def arranged(values: F32, shape: tuple[int, ...], target: tuple[int, ...]) -> F32 | None:
    """Return the first rows of a tensor of one shape as those of another shape; None if that cannot be."""
    if shape == target:
        return values
    row = prod(target[1:])
    if prod(shape) != prod(target) or values.shape[1:] != shape[1:] or values.size < row:
        return None
    count = values.size // row
    return values.ravel()[: count * row].reshape(count, *target[1:])


def _cuts(shape: tuple[int, ...]) -> Iterator[Cut]:
    axes = len(shape)
    if axes >= 2 and shape[-1] % 2 == 0:
        yield from (Cut("half", -1, number) for number in range(2))
        yield from (Cut("alternate", -1, number) for number in range(2))
    if axes >= 3 and shape[1] % 2 == 0:
        yield from (Cut("half", 1, number) for number in range(2))
    if axes == 3:
        yield from (Cut("token", axis, number) for axis in (0, 1) for number in range(min(MAX_TOKENS, shape[axis])))
