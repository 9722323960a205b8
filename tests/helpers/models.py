"""Small models for the tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Vae(nn.Module):
    """An MLP VAE with heads of the usual names."""

    def __init__(self, latents: int = 4, inputs: int = 12, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Dropout(dropout))
        self.fc_mu = nn.Linear(16, latents)
        self.fc_logvar = nn.Linear(16, latents)
        self.decoder = nn.Linear(latents, inputs)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.body(x)
        mean, logvar = self.fc_mu(h), self.fc_logvar(h)
        z = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
        return self.decoder(z), mean, logvar


class Autoencoder(nn.Module):
    """Mean only: the encoder gives what the decoder takes."""

    def __init__(self, latents: int = 3, inputs: int = 12) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, latents))
        self.decoder = nn.Linear(latents, inputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class ConvVae(nn.Module):
    """Images (n, 1, 8, 8) to a spatial latent (n, 3, 4, 4), with dropout and batch statistics."""

    inputs = (1, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout2d(0.2))
        self.mu, self.logvar = nn.Conv2d(6, 3, 1), nn.Conv2d(6, 3, 1)
        self.decoder = nn.ConvTranspose2d(3, 1, 4, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.body(x)
        mean, logvar = self.mu(h), self.logvar(h)
        return self.decoder(mean + (0.5 * logvar).exp() * torch.randn_like(mean)), mean, logvar


class TransformerVae(nn.Module):
    """Sequences (n, 5, 12) to one latent a sequence, with dropout in the layers."""

    inputs = (5, 12)

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(12, 2, 16, dropout=0.2, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.fc_mu, self.fc_logvar = nn.Linear(12, 4), nn.Linear(12, 4)
        self.decoder = nn.Linear(4, 60)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.body(x).mean(1)
        mean, logvar = self.fc_mu(h), self.fc_logvar(h)
        z = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
        return self.decoder(z).unflatten(1, (5, 12)), mean, logvar


def vae_loss(output: tuple[Tensor, Tensor, Tensor], x: Tensor, beta: float = 1.0) -> Tensor:
    reconstruction, mean, logvar = output
    kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(1).mean()
    return (reconstruction - x).square().sum(1).mean() + beta * kl.mean()


def train(
    model: nn.Module, steps: int, *, batch: int = 64, seed: int = 0, optimizer: torch.optim.Optimizer | None = None
) -> list[Tensor]:
    """A plain loop; returns the batches it drew, from a generator of its own."""
    draw = torch.Generator().manual_seed(seed)
    optimizer = optimizer or torch.optim.Adam(model.parameters(), 1e-3)
    batches = []
    for _ in range(steps):
        x = torch.randn(batch, 12, generator=draw)
        batches.append(x)
        optimizer.zero_grad()
        output = model(x)
        loss = vae_loss(output, x) if isinstance(output, tuple) else (output - x).square().mean()
        loss.backward()
        optimizer.step()
    return batches
