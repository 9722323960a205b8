"""Places of a code inside a tensor that a module takes: all of it, some columns, other axes, or several copies.

`places_in(shape, code)` yields the places that sizes allow; values decide which one is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

Shape = tuple[int, ...]
MAX_COPIES = 64
"""Copies of a code in one tensor that are looked for."""


@dataclass(frozen=True)
class Place:
    """One way in which a tensor holds a code."""

    view: Callable[[Tensor], Tensor]
    """The tensor's part that holds the code, in its own memory."""
    copies: tuple[int, int] | None = None
    """(axis, number) of the copies in that part; None for one."""

    def read(self, tensor: Tensor) -> Tensor:
        """Return the code in a tensor: of several copies the first."""
        part = self.view(tensor)
        return part if self.copies is None else part.select(self.copies[0], 0)

    def write(self, tensor: Tensor, code: Tensor) -> Tensor:
        """Return a copy of a tensor with another code in all of its places."""
        changed = tensor.detach().clone(memory_format=torch.contiguous_format)
        value = code if self.copies is None else code.unsqueeze(self.copies[0])
        self.view(changed).copy_(value)
        return changed


def places_in(shape: Shape, code: Shape) -> Iterator[Place]:
    """Yield the places of a code of one shape in a tensor of another shape."""
    if shape == code:
        yield Place(lambda tensor: tensor)
        return
    if not shape or not code:
        return
    yield from _moved(shape, code)
    yield from _columns(shape, code)
    if shape[0] == code[0] and prod(shape) == prod(code):
        yield Place(lambda tensor: tensor.reshape(code) if not tensor.is_contiguous() else tensor.view(code))
    yield from _copied(shape, code)


def _moved(shape: Shape, code: Shape) -> Iterator[Place]:
    axes = len(code)
    if len(shape) != axes or axes < 3:
        return
    orders = (1, 0, *range(2, axes)), (0, *range(2, axes), 1), (0, axes - 1, *range(1, axes - 1))
    for order in orders:
        if tuple(shape[axis] for axis in order) == code:
            yield Place(lambda tensor, order=order: tensor.permute(order))  # type: ignore[misc]


def _columns(shape: Shape, code: Shape) -> Iterator[Place]:
    if len(shape) != len(code):
        return
    for axis in sorted({1, len(code) - 1}):
        others = [size for at, size in enumerate(shape) if at != axis]
        same = others == [size for at, size in enumerate(code) if at != axis]
        if 0 < axis < len(code) and same and shape[axis] > code[axis]:
            for start in (0, shape[axis] - code[axis]):
                yield Place(lambda t, axis=axis, start=start: t.narrow(axis, start, code[axis]))  # type: ignore[misc]


def _copied(shape: Shape, code: Shape) -> Iterator[Place]:
    rows, width = code[0], code[-1]
    copies = shape[0] // rows if rows and shape[0] % rows == 0 else 0
    if 1 < copies <= MAX_COPIES and shape[1:] == code[1:]:
        yield Place(lambda tensor: tensor.view(copies, *code), (0, copies))
        yield Place(lambda tensor: tensor.view(rows, copies, *code[1:]), (1, copies))
    if len(shape) == len(code) + 1:
        if shape[1:] == code:
            yield Place(lambda tensor: tensor, (0, shape[0]))
        if len(code) == 2 and shape[0] == rows and shape[-1] >= width:
            for start in sorted({0, shape[-1] - width}):
                yield Place(lambda tensor, start=start: tensor.narrow(-1, start, width), (1, shape[1]))  # type: ignore[misc]
