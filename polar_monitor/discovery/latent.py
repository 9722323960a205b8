"""The latent of a model: which modules to hook and how to read their outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

Reader = Callable[[Any], Any]
"""A module's output → its mean, its spread, or the pair (mean, spread)."""


@dataclass(frozen=True)
class Part:
    """One module to hook, how to read its output, and which side of the latent that is."""

    module: nn.Module
    name: str
    reader: Reader | None
    side: str
    """"mean", "spread" or "both"."""
    calls: frozenset[int] | None = None
    """Places, in each forward of the model, of the module's calls that are of the latent; None for all."""


@dataclass(frozen=True)
class Latent:
    """A latent variable of a model."""

    parts: tuple[Part, ...]
    kind: str | None
    """Unit of the spread; None without a spread."""
    dimensions: int | None
    """D if the modules' types fix it before they have run."""
    layout: str | None
    """Layout of the modules' outputs (`arrays.layout`): the user's, or what the types of their layers suggest."""
    why: str
    """Reason for this choice, as `explain` shows it."""
    likely: int | None = None
    """D if the layers only suggest it; used to reserve memory for compiled forwards, which cannot do so themselves."""
    layout_given: bool = False
    """True if the layout is the user's, so that no shape changes it."""
