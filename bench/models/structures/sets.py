"""Recommenders, neural processes and count models."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import kl_between, kl_logvar, mlp, sample, seeded
from ..data import baskets, points
from ..structure import Posterior, Structure

LATENTS, ITEMS = 5, 40


class MultVae(nn.Module):
    """Mult-VAE: layers in a list, the last of width 2 D in halves; input normalised, with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.q_layers = nn.ModuleList([nn.Linear(ITEMS, 48), nn.Linear(48, 2 * LATENTS)])
        self.p_layers = nn.ModuleList([nn.Linear(LATENTS, 48), nn.Linear(48, ITEMS)])
        self.drop = nn.Dropout(0.2)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        both = self.q_layers[1](torch.tanh(self.q_layers[0](self.drop(functional.normalize(x)))))
        return both[:, :LATENTS], both[:, LATENTS:]

    def decode(self, z: Tensor) -> Tensor:
        return self.p_layers[1](torch.tanh(self.p_layers[0](z)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        return self.decode(sample(mean, (0.5 * logvar).exp())), mean, logvar


class MultDae(nn.Module):
    """Mult-DAE: the same without a variance; the code is what the last encoder layer gives, after tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(ITEMS, 48), nn.Tanh(), nn.Linear(48, LATENTS), nn.Tanh())
        self.decoder, self.drop = mlp(LATENTS, 48, ITEMS), nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(self.drop(functional.normalize(x))))


class LatentEncoder(nn.Module):
    """A neural process' encoder of a set: mean of the points, then mu and σ = 0.1 + 0.9 sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.input_projection, self.penultimate_layer = mlp(2, 32, 32), nn.Linear(32, 32)
        self.mu, self.log_sigma = nn.Linear(32, LATENTS), nn.Linear(32, LATENTS)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.penultimate_layer(self.input_projection(torch.cat([x, y], -1)).mean(1)))
        return self.mu(h), 0.1 + 0.9 * torch.sigmoid(self.log_sigma(h))


class NeuralProcess(nn.Module):
    """One encoder, called for the context and for the target; the target's posterior is drawn from."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_encoder, self.decoder = LatentEncoder(), mlp(LATENTS + 1, 48, 48, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        prior_mean, prior_std = self.latent_encoder(x[:, :6], y[:, :6])
        mean, std = self.latent_encoder(x, y)
        z = sample(mean, std).unsqueeze(1).expand(-1, x.shape[1], -1)
        errors = ((self.decoder(torch.cat([x, z], -1)) - y) ** 2).sum() / len(x) / 0.02
        return errors + kl_between(mean, std, prior_mean, prior_std)


class CountEncoder(nn.Module):
    """A single-cell encoder: mean_encoder, var_encoder with σ² = exp + ε, returned as (dist, sample)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(ITEMS, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(0.1))
        self.mean_encoder, self.var_encoder = nn.Linear(48, LATENTS), nn.Linear(48, LATENTS)

    def forward(self, x: Tensor) -> tuple[torch.distributions.Normal, Tensor]:
        h = self.encoder(x)
        normal = torch.distributions.Normal(self.mean_encoder(h), (self.var_encoder(h).exp() + 1e-4).sqrt())
        return normal, normal.rsample()


class CountVae(nn.Module):
    """Counts with two encoders: z, and the size l with one dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.z_encoder, self.decoder = CountEncoder(), mlp(LATENTS, 48, ITEMS)

    def forward(self, x: Tensor) -> Tensor:
        normal, z = self.z_encoder(torch.log1p(x))
        divergence = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum() / len(x)
        return functional.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum") / len(x) + divergence


def _likelihood(logits: Tensor, x: Tensor) -> Tensor:
    return -(functional.log_softmax(logits, -1) * x).sum() / len(x)


def _mult_loss(model: MultVae, x: Tensor) -> Tensor:
    logits, mean, logvar = model(x)
    return _likelihood(logits, x) + 0.2 * kl_logvar(mean, logvar)


def _mult_truth(model: MultVae, x: Tensor) -> Posterior:
    mean, logvar = model.encode(x)
    return Posterior(mean, logvar.exp())


def _process_truth(model: NeuralProcess, batch: tuple[Tensor, Tensor]) -> Posterior:
    mean, std = model.latent_encoder(*batch)
    return Posterior(mean, std**2)


def _count_truth(model: Any, x: Tensor) -> Posterior:
    normal, _ = model.z_encoder(torch.log1p(x))
    return Posterior(normal.mean, normal.variance)


STRUCTURES = (
    Structure("mult_vae", "sets", "q_layers.1 in halves: μ, log σ²", seeded(MultVae), baskets, _mult_truth, _mult_loss),
    Structure(
        "mult_dae", "sets", "encoder gives a code", seeded(MultDae), baskets,
        lambda m, x: Posterior(m.encoder(m.drop(functional.normalize(x))), None), lambda m, x: _likelihood(m(x), x),
    ),
    Structure(
        "neural_process", "sets", "latent_encoder of the target: mu, σ = 0.1 + 0.9 sigmoid(log_sigma)",
        seeded(NeuralProcess), points, _process_truth, lambda m, batch: m(*batch),
    ),
    Structure(
        "single_cell", "sets", "z_encoder gives (Normal, sample); σ² = exp(var_encoder) + 1e-4", seeded(CountVae),
        baskets, _count_truth, lambda m, x: m(x),
    ),
)  # fmt: skip
