"""Heads that are processed further: softplus, clamps, norms, bounds; and posteriors that are no diagonal normal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Laplace, MultivariateNormal, kl_divergence
from torch.nn import functional

from ..blocks import kl_std, mlp, sample, seeded, squared
from ..data import WIDTH, vectors
from ..structure import Posterior, Structure

LATENTS = 6


class Processed(nn.Module):
    """A VAE whose second head becomes σ by a function of choice, outside of any module."""

    def __init__(
        self, mean_name: str, spread_name: str, to_std: Callable[[Tensor], Tensor], norm: bool = False
    ) -> None:
        super().__init__()
        self.encoder = mlp(WIDTH, 64, 64)
        self.names, self.to_std = (mean_name, spread_name), to_std
        for name in self.names:
            self.add_module(name, nn.Linear(64, LATENTS))
        self.mu_bn = nn.BatchNorm1d(LATENTS) if norm else nn.Identity()
        self.decoder = mlp(LATENTS, 64, WIDTH)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.encoder(x))
        mean, raw = (getattr(self, name)(h) for name in self.names)
        return self.mu_bn(mean), self.to_std(raw)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, std = self.encode(x)
        return self.decoder(sample(mean, std)), mean, std


class LaplaceVae(nn.Module):
    """A Laplace posterior by torch.distributions."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = mlp(WIDTH, 64, 64)
        self.loc, self.scale = nn.Linear(64, LATENTS), nn.Linear(64, LATENTS)
        self.decoder = mlp(LATENTS, 64, WIDTH)

    def posterior(self, x: Tensor) -> Laplace:
        h = functional.relu(self.encoder(x))
        return Laplace(self.loc(h), functional.softplus(self.scale(h)) + 1e-3)

    def forward(self, x: Tensor) -> tuple[Tensor, Laplace]:
        posterior = self.posterior(x)
        return self.decoder(posterior.rsample()), posterior


class CholeskyVae(nn.Module):
    """A normal posterior with full covariance, from a lower triangle."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = mlp(WIDTH, 64, 64)
        self.fc_mu, self.fc_tril = nn.Linear(64, LATENTS), nn.Linear(64, LATENTS * LATENTS)
        self.decoder = mlp(LATENTS, 64, WIDTH)

    def posterior(self, x: Tensor) -> MultivariateNormal:
        h = functional.relu(self.encoder(x))
        raw = self.fc_tril(h).view(-1, LATENTS, LATENTS)
        diagonal = torch.diag_embed(functional.softplus(raw.diagonal(dim1=1, dim2=2)) + 1e-3)
        return MultivariateNormal(self.fc_mu(h), scale_tril=0.3 * raw.tril(-1) + diagonal, validate_args=False)

    def forward(self, x: Tensor) -> tuple[Tensor, MultivariateNormal]:
        posterior = self.posterior(x)
        return self.decoder(posterior.rsample()), posterior


def _loss(model: Any, x: Tensor) -> Tensor:
    output, mean, std = model(x)
    return squared(output, x) + kl_std(mean, std)


def _truth(model: Any, x: Tensor) -> Posterior:
    mean, std = model.encode(x)
    return Posterior(mean, std**2)


def _laplace_loss(model: Any, x: Tensor) -> Tensor:
    output, posterior = model(x)
    return squared(output, x) + kl_divergence(posterior, Laplace(0.0, 1.0)).sum() / len(x)


def _cholesky_loss(model: Any, x: Tensor) -> Tensor:
    output, posterior = model(x)
    prior = MultivariateNormal(torch.zeros(LATENTS), torch.eye(LATENTS), validate_args=False)
    return squared(output, x) + kl_divergence(posterior, prior).mean()


def _distribution(model: Any, x: Tensor) -> Posterior:
    posterior = model.posterior(x)
    return Posterior(posterior.mean, posterior.variance)


def _structure(
    name: str, where: str, heads: tuple[str, str], std: Callable[[Tensor], Tensor], **other: bool
) -> Structure:
    make = seeded(lambda: Processed(*heads, std, **other))
    return Structure(name, "spread", where, make, vectors, _truth, _loss, decode=lambda model, z: model.decoder(z))


def _softplus(raw: Tensor) -> Tensor:
    return (functional.softplus(raw) + 1e-4).sqrt()


STRUCTURES = (
    _structure("softplus_var", "softplus of fc_var is σ²", ("fc_mu", "fc_var"), _softplus),
    _structure(
        "softplus_std", "softplus of std_layer is σ", ("mu_layer", "std_layer"),
        lambda r: functional.softplus(r) + 1e-3,
    ),
    _structure("log_std", "fc_log_std gives log σ", ("fc_mean", "fc_log_std"), torch.exp),
    _structure("hidden_half", "fc_logvar gives log σ, as nothing is halved", ("fc_mu", "fc_logvar"), torch.exp),
    _structure(
        "clamped", "fc_logvar, clamped to [−2.5, 2]", ("fc_mu", "fc_logvar"), lambda r: (0.5 * r.clamp(-2.5, 2)).exp(),
    ),
    _structure(
        "tanh_bound", "3 tanh of logvar_net is log σ²", ("mean_net", "logvar_net"), lambda r: (1.5 * r.tanh()).exp(),
    ),
    _structure("minus_abs", "−|fc_var| is log σ²", ("fc_mean", "fc_var"), lambda r: (-0.5 * r.abs()).exp()),
    _structure("scaled_std", "0.1 · exp(fc_sigma) is σ", ("fc_mu", "fc_sigma"), lambda r: 0.1 * r.exp()),
    _structure(
        "norm_after_mean", "mu_bn after fc_mu gives μ, fc_logvar log σ²", ("fc_mu", "fc_logvar"),
        lambda r: (0.5 * r).exp(), norm=True,
    ),
    Structure(
        "laplace", "spread", "loc and softplus of scale of a Laplace", seeded(LaplaceVae), vectors, _distribution,
        _laplace_loss, decode=lambda model, z: model.decoder(z),
    ),
    Structure(
        "cholesky", "spread", "fc_mu, and σ² from the triangle of fc_tril", seeded(CholeskyVae), vectors, _distribution,
        _cholesky_loss, decode=lambda model, z: model.decoder(z),
    ),
)  # fmt: skip
