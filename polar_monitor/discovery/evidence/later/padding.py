"""The argument of a model or a module that says where its sequences are padded, by comparison with the latent's rows.

Padding is known from the mean: the same vector at the ends of several inputs (`arrays.padding`). The argument that says
so is 0 or False there and not elsewhere, or the reverse; or it holds lengths, tokens, or numbers that are 0 there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....arrays.padding import shared
from ..seen import F32, Seen

MIN_SHARED, MAX_SHARED = 0.5, 0.2
"""Share of the padding that must be the same vector, and of the real data that may be."""
MIN_PADDED = 2
"""Inputs with padding that a comparison needs."""
Bools = NDArray[np.bool_]


class Argument(NamedTuple):
    """An argument that shows which places are padding."""

    module: str
    """'' is the model."""
    place: int | str
    """Position or name among the arguments."""
    code: str
    """Expression that makes the mask of `{0}`, the argument; '' if it is the mask itself."""
    words: str
    """Its values at padding, in words that follow its name."""


def argument_of(seen: Sequence[Seen], mean: Seen, letters: str) -> Argument | None:
    """Return the simplest argument among the tensors of a step that fits the padding of a mean; None if none does."""
    if mean.block is None or len(mean.shape) != 3 or len(letters) != 3:
        return None
    inputs, dimensions = letters.index("n"), letters.index("d")
    rows = mean.block.transpose(inputs, 3 - inputs - dimensions, dimensions)
    n, steps, _ = rows.shape
    numbers = np.repeat(np.arange(n, dtype=np.int64), steps)
    flags = shared(rows.reshape(n * steps, -1), numbers, np.zeros(n * steps, np.int64)).reshape(n, steps)
    fitting = []
    for entry in seen:
        is_argument = not entry.is_output and len(entry.path) == 1 and entry.order < mean.order
        for rank, real, code, words in _masks(entry, n, steps, flags) if is_argument else ():
            if _fits(real, flags):
                fitting.append((rank, len(entry.module), Argument(entry.module, entry.path[0], code, words)))
    return min(fitting, key=lambda one: one[:2])[2] if fitting else None


def _fits(real: Bools, flags: Bools) -> bool:
    padded = ~real
    if int(padded.any(1).sum()) < MIN_PADDED or not real.any():
        return False
    return bool(flags[padded].mean() >= MIN_SHARED and flags[real].mean() <= MAX_SHARED)


def _masks(entry: Seen, n: int, steps: int, flags: Bools) -> Iterator[tuple[int, Bools, str, str]]:
    """Yield the masks (n, steps) that an argument may stand for: the rank of each, the code and the words."""
    block = entry.block
    if block is None:
        return
    flat, reads = _two_axes(block, n, steps)
    if flat is not None:
        values = np.unique(flat)
        if np.isin(values, (0, 1)).all():
            yield 0, flat == 1, reads, "is 0 there"
            yield 1, flat == 0, f"{reads or '{0}'}.logical_not()", "is 1 there"
        elif (values == np.rint(values)).all() and flags.any():
            token = int(np.median(flat[flags]))
            yield 3, flat != token, f"{reads or '{0}'} != {token}", f"is {token} there"
    elif block.shape[:1] == (n,) and block.ndim == 1 and block.max() == steps and (block == np.rint(block)).all():
        real = np.arange(steps) < block[:, None]
        yield 2, real, "torch.arange(int({0}.max()), device={0}.device) < {0}[:, None]", "ends there"
    elif block.ndim == 3 and block.shape[:2] == (n, steps):
        yield 4, (block != 0).any(2), "({0} != 0).any(2)", "is 0 there"
    elif block.ndim == 3 and block.shape[::2] == (n, steps):
        yield 4, (block != 0).any(1), "({0} != 0).any(1)", "is 0 there"


def _two_axes(block: F32, n: int, steps: int) -> tuple[F32 | None, str]:
    """Return a tensor of one number a step as (n, steps), and how it is read: '' as it is. None if it is none."""
    if block.shape in ((n, steps), (n, steps, 1), (n, 1, steps)):
        return block.reshape(n, steps), ""
    if block.shape == (steps, n):
        return block.T, "{0}.T"
    return None, ""


def line_of(argument: Argument, names: Sequence[str]) -> str:
    """Return what to write for `mask`; `names` are those of the forward's arguments."""
    name = names[argument.place] if isinstance(argument.place, int) else argument.place
    path = f"{argument.module}.{name}" if argument.module else name
    return f'mask=("{path}", lambda {name}: {argument.code.format(name)})' if argument.code else f'mask="{path}"'
