"""The models of the grid: VAEs whose forward gives logits, mean (n, D) and log-variance (n, D)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


class Vae(nn.Module):
    """An encoder to h features, two heads, and a decoder; the reparametrisation of Kingma & Welling 2014."""

    def __init__(self, encoder: nn.Module, features: int, latents: int, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.fc_mu, self.fc_logvar = nn.Linear(features, latents), nn.Linear(features, latents)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the reconstruction, posterior mean and log-variance."""
        h = self.encoder(x)
        mean, logvar = self.fc_mu(h), self.fc_logvar(h)
        return self.decoder(mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)), mean, logvar


def perceptron(inputs: int, hidden: int, latents: int) -> Vae:
    """Vectors (n, inputs): two hidden layers on either side."""

    def layers(first: int) -> list[nn.Module]:
        return [nn.Linear(first, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]

    decoder = nn.Sequential(*layers(latents), nn.Linear(hidden, inputs))
    return Vae(nn.Sequential(*layers(inputs)), hidden, latents, decoder)


def convolutional(latents: int) -> Vae:
    """Images (n, 1, 32, 32)."""
    down = [nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten()]
    up = [nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1)]
    decoder = nn.Sequential(nn.Linear(latents, 2048), nn.ReLU(), nn.Unflatten(1, (32, 8, 8)), *up)
    return Vae(nn.Sequential(*down), 2048, latents, decoder)


def transformer(latents: int) -> Vae:
    """Sequences (n, 16, 32): two layers to encode them and one to decode, all with dropout."""

    def layer() -> nn.Module:
        return nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True)

    encoder = nn.Sequential(nn.Linear(32, 64), layer(), layer(), nn.Flatten())
    decoder = nn.Sequential(nn.Linear(latents, 1024), nn.Unflatten(1, (16, 64)), layer(), nn.Linear(64, 32))
    return Vae(encoder, 1024, latents, decoder)


@dataclass(frozen=True)
class Model:
    """A model of the grid."""

    name: str
    make: Callable[[int], nn.Module]
    """From the number of latent dimensions."""
    batch: tuple[int, ...]
    """Shape of a batch."""
    latents: tuple[int, ...]
    """Numbers of latent dimensions of the rows of the tables."""


GRID = {
    "small": Model("MLP 64-64-64", lambda latents: perceptron(64, 64, latents), (64, 64), (8, 32, 128)),
    "mlp": Model(
        "MLP 1024-256-256", lambda latents: perceptron(1024, 256, latents), (128, 1024), (8, 32, 128, 512, 1024)
    ),
    "conv": Model("convolutional", convolutional, (32, 1, 32, 32), (8, 128)),
    "transformer": Model("transformer", transformer, (32, 16, 32), (32, 512)),
}
