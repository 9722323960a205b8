"""Parts that many of the models share: small networks and the terms of their losses."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def seeded(make: Callable[[], nn.Module]) -> Callable[[int], nn.Module]:
    """Return a function that makes the model with the weights of a seed."""

    def build(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return make()

    return build


def mlp(*sizes: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return linear layers with an activation between them; the last has none."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


def sample(mean: Tensor, std: Tensor) -> Tensor:
    """Draw from N(mean, std²) by reparameterisation."""
    return mean + std * torch.randn_like(std)


class FromLogvar(nn.Module):
    """VAE whose `encode` gives mean and log-variance, and whose `decoder` takes a sample of them."""

    decoder: nn.Module

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance, (n, D) each."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the output, the mean and the log-variance."""
        mean, logvar = self.encode(x)
        return self.decoder(sample(mean, (0.5 * logvar).exp())), mean, logvar


def kl_logvar(mean: Tensor, logvar: Tensor) -> Tensor:
    """Return the mean KL of an input from the standard normal, all dimensions and places added."""
    return -0.5 * (1 + logvar - mean**2 - logvar.exp()).sum() / len(mean)


def kl_std(mean: Tensor, std: Tensor) -> Tensor:
    """Return the same for a standard deviation."""
    return kl_logvar(mean, 2 * std.log())


def kl_between(mean: Tensor, std: Tensor, prior_mean: Tensor, prior_std: Tensor) -> Tensor:
    """Return the mean KL of an input between two normal distributions."""
    terms = prior_std.log() - std.log() + (std**2 + (mean - prior_mean) ** 2) / (2 * prior_std**2) - 0.5
    return terms.sum() / len(mean)


def squared(output: Tensor, target: Tensor, noise: float = 0.1) -> Tensor:
    """Return the mean squared error of an input, added up, in units of twice the noise's variance."""
    return ((output - target) ** 2).sum() / len(target) / (2 * noise)


def elbo(output: Tensor, target: Tensor, mean: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    """Return the negative evidence lower bound of a VAE with log σ²."""
    return squared(output, target) + beta * kl_logvar(mean, logvar)


def first(batch: Any) -> Tensor:
    """Return the first tensor of a batch."""
    return batch[0] if isinstance(batch, tuple | list) else batch
