"""A latent tensor as rows, with tensor operations that eager and compiled forwards share."""

from __future__ import annotations

import torch
from torch import Tensor

from ..arrays.rows import MAX_ROWS_PER_INPUT

MANTISSA = {torch.bfloat16: 7, torch.float16: 10}
"""Mantissa bits of low-precision types; 23 for all others, as rows are kept in float32."""


def rows_of(tensor: Tensor, channels_first: bool | None) -> Tensor:
    """Return (n, D) as it is, and a spatial latent or a sequence as (n, p, D) with p ≤ `MAX_ROWS_PER_INPUT`.

    (n, C, H, W) and (n, C, D, H, W) have one dimension a channel; (n, T, D) one a feature, unless `channels_first`.
    """
    if tensor.dim() == 2:
        return tensor
    if tensor.dim() == 1:
        return tensor.unsqueeze(1)
    first = tensor.dim() > 3 if channels_first is None else channels_first
    flat = tensor.flatten(2).transpose(1, 2) if first else tensor.flatten(1, -2)
    places = flat.shape[1]
    stride = -(-places // MAX_ROWS_PER_INPUT)
    return flat[:, ::stride] if stride > 1 else flat


def refusal(tensor: Tensor) -> str:
    """Return the reason why a tensor cannot be recorded, or ''. Integers and bools can: they are numbers."""
    if tensor.is_complex():
        return f"expected real numbers, got {tensor.dtype}: pass mean=lambda out: …, that gives out.real or out.abs()"
    if tensor.layout is not torch.strided:
        return f"expected a dense tensor, got {tensor.layout}: pass mean=lambda out: out.to_dense()"
    if tensor.dim() == 0 or 0 in tensor.shape[1:]:  # not shape[0]: compiled code may not know whether a batch is empty
        return f"expected (n, D) with at least one dimension, got shape {tuple(tensor.shape)}"
    return ""
