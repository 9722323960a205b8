"""A latent tensor as rows, with tensor operations that eager and compiled forwards share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ..arrays.places import PERIOD, places_of, taken_of

MANTISSA = {torch.bfloat16: 7, torch.float16: 10}
"""Mantissa bits of low-precision types; 23 for all others, as rows are kept in float32."""


MAX_INDICES = 256
"""Indices of places that are kept for later forwards."""


def rows_of(tensor: Tensor, letters: str, before: int | Tensor = 0) -> Tensor:
    """Return (n, D) as it is, and a spatial latent or a sequence as (n, p, D) with p ≤ `MAX_ROWS_PER_INPUT`.

    `letters` are those of its axes (`arrays.layout`). `before` is the number of rows recorded so far, since every row
    continues the choice of places: a tensor in compiled code.
    """
    if letters == "nd":
        return tensor
    if letters == "n":
        return tensor.unsqueeze(1)
    inputs, dimensions = letters.index("n"), letters.index("d")
    places = [axis for axis in range(len(letters)) if axis not in (inputs, dimensions)]
    sizes = tuple(tensor.shape[axis] for axis in places)
    ordered = tensor.permute(inputs, *places, dimensions)
    if not places:
        return ordered
    flat = ordered.flatten(1, -2)
    taken = taken_of(flat.shape[1])
    if taken == flat.shape[1]:
        return flat
    if isinstance(before, int):
        index = _kept_index(flat.shape[0], taken, sizes, before % PERIOD, tensor.device)
    else:
        index = _index(flat.shape[0], taken, sizes, before, tensor.device)
    return flat.gather(1, index.expand(-1, -1, flat.shape[2]))


def _index(inputs: int, taken: int, sizes: Sequence[int], before: int | Tensor, device: torch.device) -> Tensor:
    """Return the places (n, p, 1) to take of each input."""
    points = torch.arange(inputs * taken, device=device) + before
    index: Tensor = places_of(points, sizes).view(inputs, taken, 1)
    return index


_kept_index = lru_cache(MAX_INDICES)(torch.inference_mode(False)(_index))


def refusal(tensor: Tensor) -> str:
    """Return the reason why a tensor cannot be recorded, or ''. Integers and bools can: they are numbers."""
    if tensor.is_complex():
        return f"expected real numbers, got {tensor.dtype}: pass mean=lambda out: …, that gives out.real or out.abs()"
    if tensor.layout is not torch.strided:
        return f"expected a dense tensor, got {tensor.layout}: pass mean=lambda out: out.to_dense()"
    if tensor.dim() == 0 or 0 in tensor.shape[1:]:  # not shape[0]: compiled code may not know whether a batch is empty
        return f"expected (n, D) with at least one dimension, got shape {tuple(tensor.shape)}"
    return ""
