"""A latent tensor as rows, with tensor operations that eager and compiled forwards share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from .._torch_compat import is_capturing
from ..arrays.places import ABSENT, PERIOD, places_of, ranks_of, taken_of

MANTISSA = {torch.bfloat16: 7, torch.float16: 10}
"""Mantissa bits of low-precision types; 23 for all others, as rows are kept in float32."""


MAX_FULL, MIN_FULL = 64, 8
"""Inputs of which all of the code is kept; the smaller number of large codes."""
MAX_FULL_NUMBERS = 2**20
"""Numbers of these codes from which on the smaller number is kept."""
MAX_INDICES = 256
"""Indices of places that are kept for later forwards."""


def rows_of(tensor: Tensor, letters: str, before: int | Tensor = 0, valid: Tensor | None = None) -> Tensor:
    """Return (n, D) as it is, and a spatial latent or a sequence as (n, p, D) with p ≤ `MAX_ROWS_PER_INPUT`.

    `letters` are those of its axes (`arrays.layout`). `before` is the number of rows recorded so far, since every row
    continues the choice of places: a tensor in compiled code. Where `valid` (n, P) is given, places are chosen among
    those that are True, and a row without one is `ABSENT`.
    """
    if valid is not None:
        return _valid_rows(tensor, letters, before, valid)
    if letters == "nd":
        return tensor
    if letters == "n":
        return tensor.unsqueeze(1)
    places = _places(letters)
    if not places:
        return tensor.T
    flat, sizes = _flat(tensor, letters), tuple(tensor.shape[axis] for axis in places)
    taken = taken_of(flat.shape[1])
    if taken == flat.shape[1]:
        return flat
    if isinstance(before, int):
        index = _kept_index(flat.shape[0], taken, sizes, before % PERIOD, tensor.device)
    else:
        index = _index(flat.shape[0], taken, sizes, before, tensor.device)
    return flat.gather(1, index.expand(-1, -1, flat.shape[2]))


def _places(letters: str) -> list[int]:
    """Return the axes of the places."""
    return [axis for axis, letter in enumerate(letters) if letter not in "nd"]


def _flat(tensor: Tensor, letters: str) -> Tensor:
    """Return a latent as (n, P, D), all its places in one axis."""
    if letters == "n":
        return tensor.reshape(-1, 1, 1)
    inputs, dimensions = letters.index("n"), letters.index("d")
    ordered = tensor.permute(inputs, *_places(letters), dimensions)
    return ordered.flatten(1, -2) if len(letters) > 2 else ordered.unsqueeze(1)


def _valid_rows(tensor: Tensor, letters: str, before: int | Tensor, valid: Tensor) -> Tensor:
    flat = _flat(tensor, letters)
    inputs, places, dimensions = flat.shape
    taken, valid = taken_of(places), valid.to(flat.device).expand(-1, places)
    counts = valid.sum(1, keepdim=True)
    points = torch.arange(inputs * taken, device=flat.device).view(inputs, taken) + before
    ranks = ranks_of(points, counts, taken) if places > 1 else torch.zeros_like(points)
    chosen = torch.searchsorted(valid.cumsum(1), ranks + 1).clamp_(max=places - 1)
    rows = flat.gather(1, chosen.unsqueeze(2).expand(-1, -1, dimensions)).float()
    present = (ranks < counts).unsqueeze(2)
    return torch.where(present, rows, _absent(flat.device))


@lru_cache(MAX_INDICES)
@torch.inference_mode(False)
def _absent(device: torch.device) -> Tensor:
    """Return the number that marks a row that is no data."""
    return torch.tensor(ABSENT, dtype=torch.int32, device=device).view(torch.float32)


def _index(inputs: int, taken: int, sizes: Sequence[int], before: int | Tensor, device: torch.device) -> Tensor:
    """Return the places (n, p, 1) to take of each input."""
    points = torch.arange(inputs * taken, device=device) + before
    index: Tensor = places_of(points, sizes).view(inputs, taken, 1)
    return index


_kept_index = lru_cache(MAX_INDICES)(torch.inference_mode(False)(_index))


class FullCodes:
    """Codes of the newest whole inputs, whose rows are a choice of their places: for what takes all of a code."""

    def __init__(self) -> None:
        self.codes: Tensor | None = None
        """Some inputs of the latest forwards, with the axes that the model gives; None before the first."""
        self.letters = ""
        """Letters of these axes."""

    def keep(self, tensor: Tensor, letters: str) -> None:
        """Keep some inputs of a tensor, as a copy on its device."""
        axis = letters.index("n")
        inputs = tensor.shape[axis]
        each = tensor.numel() // max(inputs, 1)
        if inputs and not is_capturing():
            some = min(inputs, MAX_FULL, max(MAX_FULL_NUMBERS // each, MIN_FULL))
            codes, before = tensor.narrow(axis, 0, some).detach(), self.codes
            if some < MIN_FULL and before is not None and _may_follow(codes, before, axis):  # of small batches several
                older = min(MIN_FULL - some, before.shape[axis])
                codes = torch.cat([before.narrow(axis, before.shape[axis] - older, older), codes], axis)
            else:
                codes = codes.clone()
            self.codes, self.letters = codes, letters


def _may_follow(codes: Tensor, before: Tensor, axis: int) -> bool:
    """Return True if two tensors differ in their number of inputs alone."""
    shapes = [(*one.shape[:axis], *one.shape[axis + 1 :]) for one in (codes, before)]
    return shapes[0] == shapes[1] and codes.dtype == before.dtype and codes.device == before.device


def refusal(tensor: Tensor) -> str:
    """Return the reason why a tensor cannot be recorded, or ''. Integers and bools can: they are numbers."""
    if tensor.is_complex():
        return f"expected real numbers, got {tensor.dtype}: pass mean=lambda out: …, that gives out.real or out.abs()"
    if tensor.layout is not torch.strided:
        return f"expected a dense tensor, got {tensor.layout}: pass mean=lambda out: out.to_dense()"
    if tensor.dim() == 0 or 0 in tensor.shape[1:]:  # not shape[0]: compiled code may not know whether a batch is empty
        return f"expected (n, D) with at least one dimension, got shape {tuple(tensor.shape)}"
    return ""
