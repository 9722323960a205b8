"""A condition beside the input: a prior that depends on it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import kl_between, mlp, sample, seeded, squared
from ..data import WIDTH, labelled
from ..structure import Posterior, Structure

LATENTS = 5


class Ivae(nn.Module):
    """iVAE: the posterior sees the input and u; the prior's log-variance depends on u."""

    def __init__(self) -> None:
        super().__init__()
        self.logl, self.f = mlp(4, 32, LATENTS), mlp(LATENTS, 48, WIDTH)
        self.g, self.logv = mlp(WIDTH + 4, 48, LATENTS), mlp(WIDTH + 4, 48, LATENTS)

    def encoder_params(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([x, u], 1)
        return self.g(both), self.logv(both).exp()

    def forward(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, var = self.encoder_params(x, u)
        return self.f(sample(mean, var.sqrt())), mean, var, self.logl(u).exp()


class Cvae(nn.Module):
    """A conditional VAE whose prior network gives μ and log σ² too: recognition and prior heads have like names."""

    def __init__(self) -> None:
        super().__init__()
        self.recognition, self.prior_net = mlp(WIDTH + 4, 48, 48), mlp(4, 32, 32)
        self.recognition_mu, self.recognition_logvar = nn.Linear(48, LATENTS), nn.Linear(48, LATENTS)
        self.prior_mu, self.prior_logvar = nn.Linear(32, LATENTS), nn.Linear(32, LATENTS)
        self.generation = mlp(LATENTS + 4, 48, WIDTH)

    def recognise(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.recognition(torch.cat([x, u], 1)))
        return self.recognition_mu(h), self.recognition_logvar(h)

    def forward(self, x: Tensor, u: Tensor) -> Tensor:
        (mean, logvar), h = self.recognise(x, u), functional.relu(self.prior_net(u))
        std, prior_std = (0.5 * logvar).exp(), (0.5 * self.prior_logvar(h)).exp()
        output = self.generation(torch.cat([sample(mean, std), u], 1))
        return squared(output, x) + kl_between(mean, std, self.prior_mu(h), prior_std)


def _one_hot(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return batch[0], functional.one_hot(batch[1], 4).float()


def _ivae_loss(model: Ivae, batch: tuple[Tensor, Tensor]) -> Tensor:
    output, mean, var, prior_var = model(*_one_hot(batch))
    divergence = kl_between(mean, var.sqrt(), torch.zeros_like(mean), prior_var.sqrt())
    return squared(output, batch[0]) + divergence


def _cvae_truth(model: Any, batch: tuple[Tensor, Tensor]) -> Posterior:
    mean, logvar = model.recognise(*_one_hot(batch))
    return Posterior(mean, logvar.exp())


STRUCTURES = (
    Structure(
        "ivae", "conditional", "g gives μ, logv log σ²; the prior depends on u", seeded(Ivae), labelled,
        lambda model, batch: Posterior(*model.encoder_params(*_one_hot(batch))), _ivae_loss,
    ),
    Structure(
        "cvae", "conditional", "recognition_mu, recognition_logvar; prior_mu and prior_logvar are no posterior",
        seeded(Cvae), labelled, _cvae_truth, lambda model, batch: model(*_one_hot(batch)),
    ),
)  # fmt: skip
