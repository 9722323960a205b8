"""TODO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

KINDS = ("logvar", "var", "std")


Reader = Callable[[Any], Any]
"""From a module's output to its mean, its spread, or the pair (mean, spread)."""


@dataclass(frozen=True)
class Part:
    """One module to hook, how to read its output, and which side of the latent that is."""

    module: nn.Module
    name: str
    reader: Reader | None
    side: str
    """"mean", "spread" or "both"."""


@dataclass(frozen=True)
class Latent:
    """A latent variable found in a model."""

    parts: tuple[Part, ...]
    kind: str | None
    dimensions: int | None
    """D where the modules tell it for certain before they have run."""
    channels_first: bool | None
    why: str
    likely: int | None = None
    """D where they only suggest it; used to reserve memory for compiled forwards, which cannot do so themselves."""
