"""Tensors that went into and came out of a model's modules in one training step, a block of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

F32 = NDArray[np.float32]
Key = str | int
Path = tuple[Key, ...]
"""Where a tensor lies in a value: indices of sequences, keys of mappings, and names of attributes with a dot before."""

GIVEN = "as given"
"""Beginning of the path of what functions of the user read of a module's output: GIVEN, then the side."""
MAX_DEPTH = 3
"""Containers inside each other that are looked into."""
MAX_MEMBERS = 16
"""Members of one container that are looked at."""
DISTRIBUTION_FIELDS = (".mean", ".stddev", ".scale_tril")
"""Properties of a distribution: the last is the Cholesky factor of a covariance matrix."""

MAX_CALLS = 3
"""Calls of one module in a step that are looked at."""
MAX_ROW = 65_536
"""Numbers of a row above which nothing of a tensor is kept but its shape."""
MANY = 8192
"""Numbers of a row above which only the corner of a map is kept."""
SIDES = {4: 16, 5: 8}
"""Sizes of that corner, by the number of axes; the axis after the first is kept complete."""
LONG = 256
"""Size of it along both axes of a sequence with a row above `MAX_ROW`."""


@dataclass(frozen=True)
class Seen:
    """One tensor of one call of a module."""

    module: str
    """Name of the module; '' is the model itself."""
    is_output: bool
    path: Path
    """Place in the module's output; for an input, the number or name of the argument first."""
    order: int
    """Position in the step: inputs are seen when a call begins, outputs when it ends."""
    call: int
    """Number of the module's call in the step, from 0."""
    shape: tuple[int, ...]
    block: F32 | None
    """Its first rows along the first axis, of large maps a corner; None if one such row is too large."""
    mantissa: int
    """Mantissa bits of the type that it came in."""
    is_layer: bool
    """True if the module is one of PyTorch's own layers, which do not sample."""
    kind: str = ""
    """Name of the module's class."""

    @property
    def row_size(self) -> int:
        """Numbers in one row along the first axis."""
        return prod(self.shape[1:])


def corner_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sizes of what is kept of a row, along the axes after the first."""
    row, sizes = prod(shape[1:]), shape[1:]
    if row > MANY and len(shape) in SIDES:
        return (sizes[0], *(min(size, SIDES[len(shape)]) for size in sizes[1:]))
    return tuple(min(size, LONG) for size in sizes) if row > MAX_ROW and len(shape) == 3 else sizes


def tensors_of(value: Any, path: Path = ()) -> Iterator[tuple[Path, Tensor]]:
    """Yield the tensors in a value and where they lie: in tuples, mappings, named fields and distributions."""
    if isinstance(value, Tensor):
        yield path, value
    elif len(path) <= MAX_DEPTH:
        for key, member in _members(value):
            yield from tensors_of(member, (*path, key))


def member(value: Any, path: Path) -> Any:
    """Return what lies at a path of a value. Compiled forwards run this."""
    for key in path:
        value = getattr(value, key[1:]) if isinstance(key, str) and key.startswith(".") else value[key]
    return value


def shown(path: Path) -> str:
    """Return a path as it is written in code, after the name of the value."""
    return "".join(key if isinstance(key, str) and key.startswith(".") else f"[{key!r}]" for key in path)


def _members(value: Any) -> Iterator[tuple[Key, Any]]:
    if isinstance(value, Distribution):
        base = value
        while isinstance(base, Independent):
            base = base.base_dist
        for name in DISTRIBUTION_FIELDS:
            try:
                yield name, getattr(base, name[1:])
            except (NotImplementedError, AttributeError):
                return
    elif isinstance(value, Mapping):
        yield from list((key, inside) for key, inside in value.items() if isinstance(key, str))[:MAX_MEMBERS]
    elif isinstance(value, tuple | list):
        yield from list(enumerate(value))[:MAX_MEMBERS]
    elif hasattr(value, "__dict__") and not isinstance(value, nn.Module | type) and not callable(value):
        yield from list((f".{name}", inside) for name, inside in vars(value).items())[:MAX_MEMBERS]
