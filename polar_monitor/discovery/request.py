"""Arguments of `attach` that say where the latent is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ..errors import PolarMonitorError
from .latent import Latent

WHICH = ("main", "all")


@dataclass(frozen=True)
class LatentRequest:
    """Arguments about the latent. They may hold the model."""

    mean: Any = None
    spreads: Mapping[str, Any] = field(default_factory=dict)
    """By unit: logvar, var, std and logstd."""
    latent: Any = None
    """A module, or a `Latent` that an earlier search gave."""
    layout: str | None = None
    mask: Any = None
    """An argument of `discovery.mask.MaskReader`."""
    prior: Callable[[Any], Any] | None = None
    """Callable that reads the prior of each row; None for a prior of all rows."""
    example: Any = None
    decoder: Any = None
    """A module, its name, or a callable code → output."""
    which: str = "main"
    """"main" for one latent, "all" for a monitor of each."""

    def __post_init__(self) -> None:
        if self.which not in WHICH:
            raise PolarMonitorError(f'latents: expected "main" or "all", got {self.which!r}')

    @property
    def is_named(self) -> bool:
        """True if an argument names the latent."""
        return any(value is not None for value in (self.mean, self.latent, *self.spreads.values()))

    @property
    def is_read(self) -> bool:
        """True if functions of the user read the latent: their values say which tensors it is, no name does."""
        read = (self.mean, *self.spreads.values())
        return any(isinstance(r, tuple) or (callable(r) and not isinstance(r, nn.Module)) for r in read)

    @property
    def is_decided(self) -> bool:
        """True if an earlier search gave the latent, or the user's functions read one in units of its prior."""
        return isinstance(self.latent, Latent) or (self.is_read and self.prior is not None)
