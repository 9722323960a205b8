"""Image VAEs with a vector latent, and with a map."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import elbo, sample, seeded
from ..data import images
from ..structure import Posterior, Structure

LATENTS = 8


def _down(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU())


def _up(before: int, after: int) -> nn.Sequential:
    layers = nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1), nn.BatchNorm2d(after), nn.LeakyReLU()
    return nn.Sequential(*layers)


class VanillaVae(nn.Module):
    """AntixK's family: convolutions with batch norm, fc_mu and fc_var (log σ²) on the flat map, decoder_input."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(_down(1, 8), _down(8, 16))
        self.fc_mu, self.fc_var = nn.Linear(256, LATENTS), nn.Linear(256, LATENTS)
        self.decoder_input = nn.Linear(LATENTS, 256)
        self.decoder = _up(16, 8)
        self.final_layer = nn.Sequential(_up(8, 8), nn.Conv2d(8, 1, 3, 1, 1))

    def encode(self, x: Tensor) -> list[Tensor]:
        h = torch.flatten(self.encoder(x), start_dim=1)
        return [self.fc_mu(h), self.fc_var(h)]

    def decode(self, z: Tensor) -> Tensor:
        return self.final_layer(self.decoder(self.decoder_input(z).view(-1, 16, 4, 4)))

    def forward(self, x: Tensor) -> list[Tensor]:
        mean, logvar = self.encode(x)
        return [self.decode(sample(mean, (0.5 * logvar).exp())), x, mean, logvar]


class WorldEncoder(nn.Module):
    """The encoder of world models: fc_mu, and fc_logsigma (log σ), on a flat 2×2 map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(1, 8, 4, 2), nn.Conv2d(8, 16, 3, 2), nn.Conv2d(16, 16, 2)
        self.fc_mu, self.fc_logsigma = nn.Linear(64, LATENTS), nn.Linear(64, LATENTS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.conv3(functional.relu(self.conv2(functional.relu(self.conv1(x)))))).flatten(1)
        return self.fc_mu(h), self.fc_logsigma(h)


class WorldVae(nn.Module):
    """The VAE of world models."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = WorldEncoder()
        self.decoder = nn.Sequential(
            nn.Linear(LATENTS, 64), nn.Unflatten(1, (64, 1, 1)), nn.ConvTranspose2d(64, 16, 6, 2), nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 6, 2),
        )  # fmt: skip

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, logsigma = self.encoder(x)
        return mean, 2 * logsigma

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mean, logsigma = self.encoder(x)
        return self.decoder(sample(mean, logsigma.exp())), x, mean, 2 * logsigma


class MapVae(nn.Module):
    """A latent map (n, 4, 4, 4) of two convolutions, with a decoder that has no dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(_down(1, 8), _down(8, 16))
        self.conv_mu, self.conv_logvar = nn.Conv2d(16, 4, 1), nn.Conv2d(16, 4, 1)
        self.decoder = nn.Sequential(_up(4, 16), _up(16, 8), nn.Conv2d(8, 1, 3, 1, 1))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.encoder(x)
        return self.conv_mu(h), self.conv_logvar(h)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mean, logvar = self.encode(x)
        return self.decoder(sample(mean, (0.5 * logvar).exp())), x, mean, logvar


class LateDense(nn.Module):
    """A 1×1 latent map (n, D, 1, 1), flattened only for the loss, as in DCGAN-like VAEs."""

    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(_down(1, 8), _down(8, 16), nn.Conv2d(16, 32, 4), nn.ReLU())
        self.conv_fc_mu, self.conv_fc_std = nn.Conv2d(32, LATENTS, 1), nn.Conv2d(32, LATENTS, 1)
        self.generator = nn.Sequential(nn.ConvTranspose2d(LATENTS, 16, 4), nn.ReLU(), _up(16, 8), _up(8, 1))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.main(x)
        return self.conv_fc_mu(h), 2 * torch.log(functional.softplus(self.conv_fc_std(h)) + 1e-4)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mean, logvar = self.encode(x)
        return self.generator(sample(mean, (0.5 * logvar).exp())), x, mean, logvar


def _loss(model: Any, x: Tensor) -> Tensor:
    output, x, mean, logvar = model(x)
    return elbo(output, x, mean, logvar)


def _truth(model: Any, x: Tensor) -> Posterior:
    mean, logvar = model.encode(x)
    if mean.dim() == 4:
        mean, logvar = (side.flatten(2).transpose(1, 2) for side in (mean, logvar))
    return Posterior(mean, logvar.exp())


def _structure(name: str, make: Any, where: str, decode: str = "") -> Structure:
    read = (lambda model, z: getattr(model, decode)(z)) if decode else None
    return Structure(name, "conv", where, seeded(make), images, _truth, _loss, decode=read)


STRUCTURES = (
    _structure("antixk_vanilla", VanillaVae, "fc_mu gives μ, fc_var log σ²", "decode"),
    _structure("world_models", WorldVae, "encoder.fc_mu gives μ, encoder.fc_logsigma log σ", "decoder"),
    _structure("latent_map", MapVae, "conv_mu gives μ (n, 4, 4, 4), conv_logvar log σ²"),
    _structure("late_dense", LateDense, "conv_fc_mu gives μ (n, 8, 1, 1), softplus of conv_fc_std σ"),
)
