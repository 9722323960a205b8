"""Random small VAEs: sizes, layouts, units, names, samples and learning rates drawn by seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import elu, softplus

UNITS: dict[str, tuple[float, Callable[[Tensor], Tensor]]] = {
    "log σ²": (8, lambda s: (s / 2).exp()),
    "log σ": (3, lambda s: s.exp()),
    "σ = softplus(·)": (2, softplus),
    "σ² = softplus(·)": (1, lambda s: softplus(s).sqrt()),
    "log σ² = −|·|": (1, lambda s: (-s.abs() / 2).exp()),
    "σ, negative in places": (0.5, lambda s: s),
    "σ = softplus(·) + 0.1": (0.5, lambda s: softplus(s) + 0.1),
    "σ = sigmoid(·)": (0.5, torch.sigmoid),
    "σ² = elu(·) + 1": (0.5, lambda s: (elu(s) + 1).sqrt()),
    "none of these": (1, lambda s: 1.2 * (0.8 * s).exp()),
}
"""(weight, head → σ) by name; the last is no form that discovery knows."""
CUTS = {"heads": 5, "halves": 3, "alternate": 0.5, "channels": 2}
SAMPLES = {"plain": 6, "conditions": 1, "copies": 1, "swapped": 0.5, "dropout": 0.5}


@dataclass(frozen=True)
class Truth:
    """Parts of a model that a reading has to name."""

    unit: str
    cut: str
    sample: str
    inputs: int
    latents: int


class RandomVae(nn.Module):
    """A VAE drawn by seed."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)

        def draw(weights: dict[str, float]) -> str:
            shares = np.array(list(weights.values()))
            return str(rng.choice(list(weights), p=shares / shares.sum()))

        unit, cut = draw({name: weight for name, (weight, _) in UNITS.items()}), draw(CUTS)
        sample = "plain" if cut == "channels" else draw(SAMPLES)
        latents, inputs = int(rng.integers(2, 33)), int(2 ** rng.integers(3, 8))
        self.truth = Truth(unit, cut, sample, inputs, latents)
        self.lr = float(10 ** rng.uniform(-4, -2))
        self.width, hidden = int(rng.integers(8, 64)), int(rng.integers(16, 128))
        self.is_map = cut == "channels"
        if self.is_map:
            self.body: nn.Module = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU())
            self.head: nn.Module = nn.Conv2d(8, 2 * latents, 3, 2, 1)
            self.decoder: nn.Module = nn.ConvTranspose2d(latents, 3, 4, 4)
        else:
            self.body = nn.Sequential(nn.Linear(self.width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.Tanh())
            if cut == "heads":
                self.a, self.b = nn.Linear(hidden, latents), nn.Linear(hidden, latents)
            else:
                self.head = nn.Linear(hidden, 2 * latents)
            more = 3 if sample == "conditions" else 0
            self.decoder = nn.Sequential(nn.Linear(latents + more, hidden), nn.ReLU(), nn.Linear(hidden, self.width))
        self.std = UNITS[unit][1]
        self.gives_heads = bool(rng.integers(2))

    def batch(self) -> Tensor:
        """Return data with some structure."""
        n = self.truth.inputs
        if self.is_map:
            return (
                torch.randn(n, 3, 2, 2).repeat_interleave(8, 2).repeat_interleave(8, 3) + torch.randn(n, 3, 16, 16) / 3
            )
        x = torch.randn(n, 3) @ torch.randn(3, self.width, generator=torch.Generator().manual_seed(0))
        return x + torch.randn(n, self.width) / 3 if self.truth.sample != "swapped" else x[:, None].expand(-1, 5, -1)

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tensors of mean and spread."""
        h = self.body(x)
        if self.truth.cut == "heads":
            return self.a(h), self.b(h)
        out = self.head(h)
        if self.truth.cut == "alternate":
            return out[..., 0::2], out[..., 1::2]
        first, second = out.chunk(2, 1 if self.is_map else -1)
        return first, second

    def forward(self, x: Tensor) -> Any:
        """Return the reconstruction and its loss, and mean and spread in half of the models."""
        mean, spread = self.moments(x)
        std, kind = self.std(spread), self.truth.sample
        if kind == "copies":
            mean_k, std_k = mean.repeat(3, 1), std.repeat(3, 1)
            z, x = mean_k + std_k * torch.randn_like(mean_k), x.repeat(3, 1)
        else:
            z = mean + std * torch.randn_like(mean)
        z = nn.functional.dropout(z, 0.1) if kind == "dropout" else z
        z = torch.cat([z, x[..., :3]], -1) if kind == "conditions" else z
        given = self.decoder(z.transpose(0, 1)).transpose(0, 1) if kind == "swapped" else self.decoder(z)
        kl = (mean.square() + std.square() - 1 - 2 * (std.abs() + 1e-6).log()).flatten(1).sum(1).mean() / 2
        loss = (given - x).square().flatten(1).sum(1).mean() + kl
        return (given, loss, mean, spread) if self.gives_heads else (given, loss)
