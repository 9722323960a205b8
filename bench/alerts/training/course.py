"""What a run is: how it is set up, and what happens to it between its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polar_monitor.monitor.monitor import PolarMonitor

from .collected import Collected
from .models import LinearVae, Vae


@dataclass(frozen=True)
class Setup:
    """The numbers of a run; `nominal` is the weight of the KL term that it was meant to have."""

    data: str = "sprites"
    family: str = "mlp"
    latents: int = 10
    hidden: int = 96
    nominal: float = 0.5
    rate: float = 2e-3
    batch: int = 96
    steps: int = 3000
    pace: int = 25
    """Steps that are the unit of time of a course: its onset, its ramps and its length are multiples of it."""
    warmup: int = 0
    window: int = 4096
    every: int = 10
    """Steps between evaluations."""
    seldom: tuple[int, ...] = (50, 100, 500)
    """The same of further monitors: each records at its own times, so none of them sees what another one sees."""

    @property
    def said(self) -> str:
        """In a few words."""
        return f"{self.family}-{self.hidden} {self.data} D={self.latents} pace={self.pace}"


@dataclass
class Host:
    """A training under way; what happens to it changes these fields."""

    setup: Setup
    model: Vae | LinearVae
    optimizer: torch.optim.Optimizer
    kept: Mapping[int, Collected]
    """What the monitors say, by the steps between their evaluations."""
    monitors: dict[int, PolarMonitor]
    x: Tensor
    """Training images (n, pixels)."""
    held: Tensor
    beta: float
    """Weight of the KL term."""
    batch: int
    weight: float = 1.0
    """Weight of the reconstruction, which is summed over pixels."""
    pixels: Tensor | None = None
    """Pixels that are shown and scored, (pixels,) of 0 and 1; None for all."""

    def set_rate(self, rate: float) -> None:
        """Set the learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("share", 1.0)

    @property
    def rate(self) -> float:
        """The learning rate of the decoder."""
        return float(self.optimizer.param_groups[-1]["lr"])


Change = Callable[[Host, int], None]
"""Called before every step."""


def nothing(host: Host, step: int) -> None:
    """Plain training."""


@dataclass(frozen=True)
class Course:
    """A set-up and what happens; `known` are steps at which a closed form says that a dimension is lost."""

    setup: Setup
    change: Change = nothing
    slow_encoder: float = 1.0
    """Learning rate of the encoder as a share of the decoder's."""
    start: Callable[[Host], None] | None = None
    """Called once before the monitor counts: a checkpoint to go on from."""
    known: tuple[int, ...] = field(default=())


Kind = Callable[[np.random.Generator], Course]
"""Draws a course: every seed has another architecture, pace and size."""


ARCHITECTURES: tuple[dict[str, Any], ...] = (
    {"hidden": 64},
    {"data": "digits", "nominal": 0.25, "hidden": 96},
    {"hidden": 160},
    {"family": "conv", "hidden": 64, "batch": 64},
)


def drawn(rng: np.random.Generator, **given: Any) -> Setup:
    """A set-up whose architecture, latents, pace and warm-up (or none) are drawn, with some given."""
    options = ARCHITECTURES[int(rng.choice(len(ARCHITECTURES), p=[0.3, 0.25, 0.2, 0.25]))]
    pace = int(rng.choice([20, 25, 30, 40], p=[0.35, 0.3, 0.25, 0.1]))
    warmup = int(rng.choice([0, 30 * pace]))
    setup = Setup(**{"latents": int(rng.integers(8, 13)), "pace": pace, "warmup": warmup, **options})
    return replace(setup, **given)


def geometric(start: float, end: float, share: float) -> float:
    """From start to end by a constant factor; before 0 the start, after 1 the end."""
    return float(start * (end / start) ** min(max(share, 0.0), 1.0))
