"""A VAE with a critic: a second forward in the same step, and two optimisers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from ..blocks import kl_logvar, mlp, sample, seeded, squared
from ..data import WIDTH, vectors
from ..structure import Posterior, Structure

LATENTS = 6


class FactorVae(nn.Module):
    """FactorVAE's VAE: called a second time in each step without its decoder, for the discriminator."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = mlp(WIDTH, 64, 2 * LATENTS)
        self.decode = mlp(LATENTS, 64, WIDTH)

    def forward(self, x: Tensor, no_dec: bool = False) -> Any:
        stats = self.encode(x)
        mean, logvar = stats[:, :LATENTS], stats[:, LATENTS:]
        z = sample(mean, (0.5 * logvar).exp())
        return z if no_dec else (self.decode(z), mean, logvar, z)


class WithCritic(nn.Module):
    """The VAE and its discriminator, which have an optimiser each."""

    def __init__(self) -> None:
        super().__init__()
        self.vae, self.critic = FactorVae(), mlp(LATENTS, 64, 2, activation=nn.LeakyReLU)


def _critic_step(model: WithCritic, optimisers: list[optim.Optimizer], batch: tuple[Tensor, Tensor]) -> None:
    x, other = batch
    output, mean, logvar, z = model.vae(x)
    scores = model.critic(z)
    loss = squared(output, x) + kl_logvar(mean, logvar) + (scores[:, 0] - scores[:, 1]).mean()
    optimisers[0].zero_grad()
    loss.backward()
    optimisers[0].step()
    with torch.no_grad():
        permuted = model.vae(other, no_dec=True)
        permuted = torch.stack([column[torch.randperm(len(column))] for column in permuted.unbind(1)], 1)
    real, fake = model.critic(z.detach()), model.critic(permuted)
    zeros = torch.zeros(len(x), dtype=torch.long)
    optimisers[1].zero_grad()
    (0.5 * (functional.cross_entropy(real, zeros) + functional.cross_entropy(fake, zeros + 1))).backward()
    optimisers[1].step()


def _two_batches(seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    source = vectors(seed)
    return zip(source, source, strict=False)


def _critic_truth(model: WithCritic, batch: tuple[Tensor, Tensor]) -> Posterior:
    mean, logvar = model.vae.encode(batch[0]).chunk(2, 1)
    return Posterior(mean, logvar.exp())


STRUCTURES = (
    Structure(
        "factor_vae", "adversarial", "vae.encode in halves: μ, log σ²; two forwards a step", seeded(WithCritic),
        _two_batches,
        _critic_truth, own_step=_critic_step, decode=lambda model, z: model.vae.decode(z),
        optimisers=lambda m: [optim.Adam(m.vae.parameters(), 2e-3), optim.Adam(m.critic.parameters(), 1e-3)],
    ),
)  # fmt: skip
