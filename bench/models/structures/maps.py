"""The autoencoders of latent diffusion: quant_conv in halves, the distribution as an object, video maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import kl_logvar, sample, seeded, squared
from ..data import images
from ..structure import Posterior, Structure

Z = 4


class DiagonalGaussian:
    """Parameters in halves along the channels; log σ² clamped to [−30, 20]."""

    def __init__(self, parameters: Tensor) -> None:
        self.mean, logvar = torch.chunk(parameters, 2, dim=1)
        self.logvar = torch.clamp(logvar, -30.0, 20.0)
        self.std, self.var = torch.exp(0.5 * self.logvar), torch.exp(self.logvar)

    def sample(self) -> Tensor:
        return self.mean + self.std * torch.randn(self.mean.shape)

    def kl(self) -> Tensor:
        return 0.5 * (self.mean**2 + self.var - 1.0 - self.logvar).sum([1, 2, 3])


class AutoencoderKl(nn.Module):
    """CompVis' autoencoder: encoder to 2 z, quant_conv, post_quant_conv, decoder; `training_step` has the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 12, 3, 1, 1), nn.GroupNorm(4, 12), nn.SiLU(), nn.Conv2d(12, 2 * Z, 2, 2)
        )
        self.decoder = nn.Sequential(nn.ConvTranspose2d(Z, 12, 2, 2), nn.SiLU(), nn.Conv2d(12, 1, 3, 1, 1))
        self.quant_conv, self.post_quant_conv = nn.Conv2d(2 * Z, 2 * Z, 1), nn.Conv2d(Z, Z, 1)
        self.loss = KlLoss()

    def encode(self, x: Tensor) -> DiagonalGaussian:
        return DiagonalGaussian(self.quant_conv(self.encoder(x)))

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(z))

    def forward(self, x: Tensor) -> tuple[Tensor, DiagonalGaussian]:
        posterior = self.encode(x)
        return self.decode(posterior.sample()), posterior

    def training_step(self, x: Tensor) -> Tensor:
        output, posterior = self(x)
        return self.loss(output, x, posterior)


class KlLoss(nn.Module):
    """The reconstruction loss with a learnt log-variance, and a small KL weight."""

    def __init__(self) -> None:
        super().__init__()
        self.logvar = nn.Parameter(torch.zeros(()))

    def forward(self, output: Tensor, x: Tensor, posterior: DiagonalGaussian) -> Tensor:
        errors = ((output - x) ** 2 * 20 / torch.exp(self.logvar) + self.logvar).sum() / len(x)
        return errors + 0.05 * posterior.kl().sum() / len(x)


class LossInside(nn.Module):
    """A VAE whose forward returns a dict of losses alone; halves along the channels, 8×8."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.to_moments = nn.Conv2d(1, 16, 4, 2, 1), nn.Conv2d(16, 2 * Z, 1)
        self.up = nn.Sequential(nn.Conv2d(Z, 16, 3, padding=1), nn.GELU(), nn.ConvTranspose2d(16, 1, 4, 2, 1))

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.to_moments(functional.gelu(self.down(x))).chunk(2, 1)
        return mean, logvar

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        mean, logvar = self.moments(x)
        errors = squared(self.up(sample(mean, (0.5 * logvar).exp())), x, 0.02)
        return {"loss": errors + 0.1 * kl_logvar(mean, logvar), "reconstruction": errors.detach()}


class VideoVae(nn.Module):
    """A video VAE: causal 3-D convolutions, latents (n, 3, 2, 4, 4), conv_out of width 2 z, scaled by fixed numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.conv1 = nn.Conv3d(1, 12, 4, (2, 4, 4), (1, 0, 0)), nn.Conv3d(12, 6, 1)
        self.conv2, self.decoder = nn.Conv3d(3, 12, 1), nn.ConvTranspose3d(12, 1, 4, (2, 4, 4), (1, 0, 0))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.conv1(functional.silu(self.encoder(x))).chunk(2, 1)
        return mean, logvar

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        return self.decoder(functional.silu(self.conv2(sample(mean, (0.5 * logvar).exp())))), mean, logvar


def _videos(seed: int) -> Iterator[Tensor]:
    for still in images(seed, n=32):
        yield torch.stack([still.roll(shift, -1) for shift in range(4)], 2)


def _video_loss(model: VideoVae, x: Tensor) -> Tensor:
    output, mean, logvar = model(x)
    return squared(output, x) + kl_logvar(mean, logvar)


def _posterior(mean: Tensor, var: Tensor) -> Posterior:
    return Posterior(mean.flatten(2).transpose(1, 2), var.flatten(2).transpose(1, 2))


def _kl_truth(model: AutoencoderKl, x: Tensor) -> Posterior:
    mean, logvar = model.quant_conv(model.encoder(x)).chunk(2, 1)
    return _posterior(mean, logvar.clamp(-30, 20).exp())


def _inside_truth(model: Any, x: Tensor) -> Posterior:
    mean, logvar = model.moments(x)
    return _posterior(mean, logvar.exp())


def _video_truth(model: VideoVae, x: Tensor) -> Posterior:
    mean, logvar = model.encode(x)
    return _posterior(mean, logvar.exp())


STRUCTURES = (
    Structure(
        "autoencoder_kl", "maps", "quant_conv in halves along the channels: μ, log σ² (n, 4, 8, 8)",
        seeded(AutoencoderKl), images, _kl_truth, lambda m, x: m.training_step(x),
    ),
    Structure(
        "loss_inside", "maps", "to_moments in halves along the channels; forward returns losses alone",
        seeded(LossInside), images, _inside_truth, lambda m, x: m(x)["loss"],
    ),
    Structure(
        "video_vae", "maps", "conv1 in halves along the channels (n, 3, 2, 4, 4)", seeded(VideoVae), _videos,
        _video_truth, _video_loss,
    ),
)  # fmt: skip
