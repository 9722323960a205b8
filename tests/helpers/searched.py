"""Models of which the first forwards decide the latent, and trainings of them, for tests."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import polar_monitor
from polar_monitor import PolarMonitor

X = 24


class Choice(nn.Module):
    """A VAE whose names say nothing; `scale` gives σ of what the second head gives."""

    def __init__(self, scale: Callable[[Tensor], Tensor] = lambda s: (s / 2).exp(), norm: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(X, 32), nn.ReLU(), nn.Dropout(0.1))
        self.first, self.second = nn.Linear(32, 6), nn.Linear(32, 6)
        self.norm = nn.BatchNorm1d(6) if norm else nn.Identity()
        self.out = nn.Linear(6, X)
        self.scale = scale
        self.given: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x)
        mean, std = self.norm(self.first(h)), self.scale(self.second(h))
        self.given = mean.detach(), std.detach()
        return self.out(mean + std * torch.randn_like(mean))


class Named(Choice):
    """The same with heads of the usual names."""

    first = property(lambda self: self.fc_mu)
    second = property(lambda self: self.fc_logvar)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.fc_mu, self.fc_logvar = self._modules.pop("first"), self._modules.pop("second")


def steps(model: nn.Module, count: int, forward: Any = None) -> list[str]:
    """Train on noise; returns the warnings."""
    draw = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(count):
            x = torch.randn(128, X, generator=draw)
            optimizer.zero_grad()
            (forward or model)(x).square().mean().backward()
            optimizer.step()
    return [str(warning.message) for warning in caught if "polar_monitor" in str(warning.message)]


def watched(model: nn.Module, **options: Any) -> PolarMonitor:
    return polar_monitor.attach(model, **{"sinks": (), "every": 5, "max_overhead": 1.0, "strict": True, **options})


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())
