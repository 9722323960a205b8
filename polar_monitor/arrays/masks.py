"""Masks: which places of a latent are real data, and which are padding.

A mask is True (or 1) at real data. It has the axes of the latent without its dimensions, as (n, T) beside (n, T, D) or
(T, n) beside (T, n, D), or with one of length 1 in their place, as (n, 1, T); (n,) is one of whole inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def places_of_mask(mask: Any, letters: str, shape: Sequence[int], call: int = 0) -> Any:
    """Return which places of a latent of these axes are real data, (n, P) with the places in one axis, or (n, 1).

    `mask` is an array or a tensor. A latent (n, D) that is called once a time step takes column `call` of a
    mask (n, T). Raises ValueError for another shape.
    """
    sizes = tuple(size for letter, size in zip(letters, shape, strict=True) if letter != "d")
    first = letters.replace("d", "").index("n")
    inputs = sizes[first]
    if mask.ndim == len(sizes) + 1 and 1 in (mask.shape[-1], mask.shape[1]):
        mask = mask[..., 0] if mask.shape[-1] == 1 else mask[:, 0]
    given = tuple(mask.shape)
    if given == sizes and first > 0:
        mask = mask.movedim(first, 0) if hasattr(mask, "movedim") else np.moveaxis(mask, first, 0)
    if given in (sizes, (inputs, *sizes[:first], *sizes[first + 1 :]), (inputs,)):
        return mask.reshape(inputs, -1)
    if len(sizes) == 1 and len(given) == 2:
        if given[0] == inputs and call < given[1]:
            return mask[:, call : call + 1]
        if given[1] == inputs and call < given[0]:
            return mask[call, :, None]
    raise ValueError(
        f"mask: expected shape {sizes}, as the latent {tuple(shape)} without its dimensions, or ({inputs},), "
        f"got {given}"
    )
