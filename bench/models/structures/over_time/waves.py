"""Recurrent VAEs over real numbers: one latent for a sequence, and one for each step."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ...blocks import elbo, kl_std, sample, seeded, squared
from ...data import sequences
from ...structure import Posterior, Structure

LATENTS, HIDDEN, WIDTH = 6, 32, 6


class MusicVae(nn.Module):
    """Ports of MusicVAE: a bidirectional LSTM, μ, and σ by softplus; a conductor's LSTM before the decoder's."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(WIDTH, HIDDEN, batch_first=True, bidirectional=True)
        self.mu, self.sigma = nn.Linear(2 * HIDDEN, LATENTS), nn.Linear(2 * HIDDEN, LATENTS)
        self.conductor = nn.LSTM(LATENTS, HIDDEN, batch_first=True)
        self.decoder = nn.LSTM(HIDDEN, HIDDEN, batch_first=True)
        self.output = nn.Linear(HIDDEN, WIDTH)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.encoder(x)[1][0].transpose(0, 1).flatten(1)
        return self.mu(h), functional.softplus(self.sigma(h)) + 1e-4

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, std = self.encode(x)
        bars = self.conductor(sample(mean, std).unsqueeze(1).expand(-1, 2, -1))[0]
        return self.output(self.decoder(bars.repeat_interleave(x.shape[1] // 2, 1))[0]), mean, std


class StepLatents(nn.Module):
    """A latent at every step, time first (T, n, D), from heads on a GRU's states."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.generator = nn.GRU(WIDTH, HIDDEN), nn.GRU(4, HIDDEN)
        self.mean_layer, self.logvar_layer, self.readout = (
            nn.Linear(HIDDEN, 4),
            nn.Linear(HIDDEN, 4),
            nn.Linear(HIDDEN, WIDTH),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.gru(x.transpose(0, 1))[0]
        return self.mean_layer(h), self.logvar_layer(h)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        return self.readout(self.generator(sample(mean, (0.5 * logvar).exp()))[0]).transpose(0, 1), mean, logvar


def _wave_loss(model: Any, x: Tensor) -> Tensor:
    output, mean, std = model(x)
    return squared(output, x) + kl_std(mean, std)


def _step_loss(model: Any, x: Tensor) -> Tensor:
    output, mean, logvar = model(x)
    return elbo(output, x, mean.transpose(0, 1), logvar.transpose(0, 1))


def _step_truth(model: Any, x: Tensor) -> Posterior:
    mean, logvar = (side.transpose(0, 1) for side in model.encode(x))
    return Posterior(mean, logvar.exp())


def _wave_truth(model: Any, x: Tensor) -> Posterior:
    mean, std = model.encode(x)
    return Posterior(mean, std**2)


STRUCTURES = (
    Structure(
        "music_vae", "sequences", "mu gives μ, softplus of sigma σ", seeded(MusicVae), sequences, _wave_truth,
        _wave_loss,
    ),
    Structure(
        "latent_per_step", "sequences", "mean_layer and logvar_layer (T, n, D)", seeded(StepLatents), sequences,
        _step_truth, _step_loss,
    ),
)  # fmt: skip
