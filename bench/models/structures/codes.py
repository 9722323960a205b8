"""Autoencoders: a code without a variance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ..blocks import mlp, seeded, squared
from ..data import WIDTH, images, vectors
from ..structure import Posterior, Structure

LATENTS, SIGMA = 6, 0.3


class Plain(nn.Module):
    """An encoder and a decoder, each a Sequential."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp(WIDTH, 48, LATENTS), mlp(LATENTS, 48, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class LeastVolume(nn.Module):
    """Least volume: the decoder is spectrally normalised, the loss has the volume of the code."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = mlp(WIDTH, 48, 10)
        layers = [spectral_norm(nn.Linear(10, 48)), nn.LeakyReLU(), spectral_norm(nn.Linear(48, WIDTH))]
        self.decoder = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.encoder(x)
        return self.decoder(z), z


class Wae(nn.Module):
    """A Wasserstein autoencoder with the kernel distance to the prior."""

    def __init__(self) -> None:
        super().__init__()
        self.enc, self.fc_z, self.dec = mlp(WIDTH, 48, 48), nn.Linear(48, LATENTS), mlp(LATENTS, 48, WIDTH)

    def encode(self, x: Tensor) -> Tensor:
        return self.fc_z(torch.relu(self.enc(x)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.encode(x)
        return self.dec(z), z


class FixedNoise(nn.Module):
    """Noise of a fixed σ on the code: the encoder gives no spread."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp(WIDTH, 48, LATENTS), mlp(LATENTS, 48, WIDTH)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.encoder(x)
        return self.decoder(mean + SIGMA * torch.randn_like(mean)), mean


class ConvCode(nn.Module):
    """A convolutional autoencoder with a map (n, 4, 4, 4) as its code."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 4, 3, 2, 1))
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


def _one_sequential() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(WIDTH, 48), nn.ReLU(), nn.Linear(48, LATENTS), nn.ReLU(inplace=False), nn.Linear(LATENTS, 48),
        nn.ReLU(), nn.Linear(48, WIDTH),
    )  # fmt: skip


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (2 * LATENTS / (2 * LATENTS + torch.cdist(a, b) ** 2)).mean()


def _volume_loss(model: Any, x: Tensor) -> Tensor:
    output, z = model(x)
    return squared(output, x) + 2 * (z.std(0) + 0.1).log().mean().exp()


def _wae_loss(model: Any, x: Tensor) -> Tensor:
    output, z = model(x)
    prior = torch.randn_like(z)
    return squared(output, x) + 10 * (_kernel(z, z) + _kernel(prior, prior) - 2 * _kernel(z, prior))


def _plain_loss(model: Any, x: Tensor) -> Tensor:
    return squared(model(x), x)


def _bottleneck(model: Any, x: Tensor) -> list[Posterior]:
    before = model[:3](x)
    return [Posterior(before, None, "before the ReLU"), Posterior(before.relu(), None, "after the ReLU")]


def _noise_loss(model: Any, x: Tensor) -> Tensor:
    output, mean = model(x)
    return squared(output, x) + 0.5 * mean.square().sum() / len(x)


def _code_map(model: Any, x: Tensor) -> Posterior:
    return Posterior(model.encoder(x).flatten(2).transpose(1, 2), None)


STRUCTURES = (
    Structure(
        "autoencoder", "codes", "encoder gives the code", seeded(Plain), vectors,
        lambda m, x: Posterior(m.encoder(x), None), _plain_loss,
    ),
    Structure(
        "sequential", "codes", "layer 2 of one Sequential, the narrowest, gives the code", seeded(_one_sequential),
        vectors, _bottleneck, _plain_loss,
    ),
    Structure(
        "least_volume", "codes", "encoder gives the code", seeded(LeastVolume), vectors,
        lambda m, x: Posterior(m.encoder(x), None), _volume_loss,
    ),
    Structure(
        "wae_mmd", "codes", "fc_z gives the code", seeded(Wae), vectors, lambda m, x: Posterior(m.encode(x), None),
        _wae_loss,
    ),
    Structure(
        "fixed_noise", "codes", "encoder gives μ, σ is 0.3", seeded(FixedNoise), vectors,
        lambda m, x: Posterior(m.encoder(x), torch.full((len(x), LATENTS), SIGMA**2)), _noise_loss,
    ),
    Structure(
        "conv_code", "codes", "encoder gives a map (n, 4, 4, 4)", seeded(ConvCode), images, _code_map, _plain_loss,
    ),
)  # fmt: skip
