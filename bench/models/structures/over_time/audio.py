"""Sequence latents (n, C, T): channels are the dimensions, time the places."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...blocks import kl_std, sample, seeded, squared
from ...data import ragged, sequences
from ...structure import Posterior, Structure

LATENTS, HIDDEN, WIDTH = 4, 24, 6


class PosteriorEncoder(nn.Module):
    """VITS: pre, gated convolutions, proj in halves along the channels, log σ; everything times the mask."""

    def __init__(self) -> None:
        super().__init__()
        self.pre, self.enc = nn.Conv1d(WIDTH, HIDDEN, 1), nn.Conv1d(HIDDEN, 2 * HIDDEN, 5, padding=2)
        self.proj = nn.Conv1d(HIDDEN, 2 * LATENTS, 1)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.pre(x) * mask
        left, right = (self.enc(h) * mask).chunk(2, 1)
        stats = self.proj(h + left.tanh() * right.sigmoid()) * mask
        m, logs = torch.split(stats, LATENTS, dim=1)
        return (m + torch.randn_like(m) * torch.exp(logs)) * mask, m, logs


class Synthesizer(nn.Module):
    """A posterior encoder and a decoder over padded sequences."""

    def __init__(self) -> None:
        super().__init__()
        self.enc_q = PosteriorEncoder()
        self.dec = nn.Sequential(
            nn.Conv1d(LATENTS, HIDDEN, 5, padding=2), nn.ReLU(), nn.Conv1d(HIDDEN, WIDTH, 5, padding=2)
        )

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mask = (torch.arange(x.shape[1]) < lengths.view(-1, 1)).unsqueeze(1).float()
        z, m, logs = self.enc_q(x.transpose(1, 2), mask)
        return self.dec(z).transpose(1, 2), m, logs, mask


class Bottleneck(nn.Module):
    """stable-audio: halves along the channels, σ = softplus(scale) + 1e-4, sampled inside a module of its own."""

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        mean, scale = x.chunk(2, dim=1)
        std = functional.softplus(scale) + 1e-4
        return torch.randn_like(mean) * std + mean, {"kl": kl_std(mean, std)}


class AudioAutoencoder(nn.Module):
    """An encoder, the bottleneck without weights, a decoder; the loss reads the bottleneck's info."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(WIDTH, HIDDEN, 4, 2, 1), nn.ELU(), nn.Conv1d(HIDDEN, 2 * LATENTS, 3, padding=1)
        )
        self.bottleneck = Bottleneck()
        self.decoder = nn.Sequential(
            nn.ConvTranspose1d(LATENTS, HIDDEN, 4, 2, 1), nn.ELU(), nn.Conv1d(HIDDEN, WIDTH, 3, padding=1)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        z, info = self.bottleneck(self.encoder(x.transpose(1, 2)))
        return self.decoder(z).transpose(1, 2), info


class WaveVae(nn.Module):
    """Two convolution heads inside a Sequential encoder, (n, C, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv1d(WIDTH, HIDDEN, 4, 2, 1), nn.LeakyReLU(0.2))
        self.mean_conv = nn.Sequential(nn.Conv1d(HIDDEN, HIDDEN, 1), nn.ReLU(), nn.Conv1d(HIDDEN, LATENTS, 1))
        self.logvar_conv = nn.Sequential(nn.Conv1d(HIDDEN, HIDDEN, 1), nn.ReLU(), nn.Conv1d(HIDDEN, LATENTS, 1))
        self.decoder = nn.Sequential(
            nn.ConvTranspose1d(LATENTS, HIDDEN, 4, 2, 1), nn.ReLU(), nn.Conv1d(HIDDEN, WIDTH, 3, padding=1)
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.encoder(x.transpose(1, 2))
        return self.mean_conv(h), self.logvar_conv(h)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        return self.decoder(sample(mean, (0.5 * logvar).exp())).transpose(1, 2), mean, logvar


def _vits_loss(model: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
    output, m, logs, mask = model(*batch)
    divergence = (0.5 * (m**2 + (2 * logs).exp()) - logs - 0.5) * mask
    return squared(output * mask.transpose(1, 2), batch[0]) + divergence.sum() / len(m)


def _vits_truth(model: Any, batch: tuple[Tensor, Tensor]) -> Posterior:
    _, m, logs, mask = model(*batch)
    valid = mask.squeeze(1).bool()
    return Posterior(m.transpose(1, 2)[valid], (2 * logs).exp().transpose(1, 2)[valid], "the valid steps")


def _bottleneck_loss(model: Any, x: Tensor) -> Tensor:
    output, info = model(x)
    return squared(output, x) + info["kl"]


def _bottleneck_truth(model: Any, x: Tensor) -> Posterior:
    mean, scale = model.encoder(x.transpose(1, 2)).transpose(1, 2).chunk(2, -1)
    return Posterior(mean, (functional.softplus(scale) + 1e-4) ** 2)


def _wave_loss(model: Any, x: Tensor) -> Tensor:
    output, mean, logvar = model(x)
    return squared(output, x) + kl_std(mean, (0.5 * logvar).exp())


def _wave_truth(model: Any, x: Tensor) -> Posterior:
    mean, logvar = (side.transpose(1, 2) for side in model.encode(x))
    return Posterior(mean, logvar.exp())


STRUCTURES = (
    Structure(
        "vits", "audio", "enc_q.proj in halves along the channels: μ, log σ, where the mask is 1",
        seeded(Synthesizer), ragged, _vits_truth, _vits_loss,
    ),
    Structure(
        "stable_audio", "audio", "encoder in halves along the channels: μ, softplus + 1e-4 is σ",
        seeded(AudioAutoencoder), lambda seed: sequences(seed, 24), _bottleneck_truth, _bottleneck_loss,
    ),
    Structure(
        "wave_vae", "audio", "mean_conv and logvar_conv (n, C, T)", seeded(WaveVae), lambda seed: sequences(seed, 24),
        _wave_truth, _wave_loss,
    ),
)  # fmt: skip
