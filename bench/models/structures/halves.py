"""One layer gives both sides: halves, interleaved pairs, and a second forward in the same step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from ..blocks import elbo, kl_logvar, mlp, sample, seeded, squared
from ..data import WIDTH, vectors
from ..structure import Posterior, Structure

LATENTS = 6


class MuLogvarGen(nn.Module):
    """disentangling-vae: one layer, seen as (n, D, 2) and unbound, so the sides are interleaved."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"lin1": nn.Linear(WIDTH, 64), "mu_logvar_gen": nn.Linear(64, 2 * LATENTS)})
        self.decoder = mlp(LATENTS, 64, WIDTH)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        both = self.encoder["mu_logvar_gen"](functional.relu(self.encoder["lin1"](x)))
        mean, logvar = both.view(-1, LATENTS, 2).unbind(-1)
        return mean, logvar

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        return self.decoder(sample(mean, (0.5 * logvar).exp())), mean, logvar


class QParams(nn.Module):
    """β-TCVAE: parameters (n, D, 2) of a Normal with log σ, drawn by a module of its own kind."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = mlp(WIDTH, 64, 2 * LATENTS, activation=nn.Tanh)
        self.decoder = mlp(LATENTS, 64, WIDTH, activation=nn.Tanh)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        params = self.encoder(x).view(len(x), LATENTS, 2)
        return params[..., 0], 2 * params[..., 1]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        return self.decoder(sample(mean, (0.5 * logvar).exp())), mean, logvar


class Chunked(nn.Module):
    """One Linear of width 2 D named out, chunked in the forward, all of it functional."""

    def __init__(self) -> None:
        super().__init__()
        self.inp, self.out = nn.Linear(WIDTH, 64), nn.Linear(64, 2 * LATENTS)
        self.back, self.back2 = nn.Linear(LATENTS, 64), nn.Linear(64, WIDTH)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.out(functional.silu(self.inp(x))).chunk(2, dim=-1)
        return mean, logvar

    def decoder(self, z: Tensor) -> Tensor:
        return self.back2(functional.silu(self.back(z)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        return self.decoder(mean + torch.randn_like(mean) * torch.exp(0.5 * logvar)), mean, logvar


class SpreadFirst(Chunked):
    """The first half is log σ, the second μ."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logstd, mean = self.out(functional.silu(self.inp(x))).chunk(2, dim=-1)
        return mean, 2 * logstd


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


def _loss(model: Any, x: Tensor) -> Tensor:
    output, mean, logvar = model(x)
    return elbo(output, x, mean, logvar)


def _truth(model: Any, x: Tensor) -> Posterior:
    mean, logvar = model.encode(x)
    return Posterior(mean, logvar.exp())


def _structure(name: str, make: Any, where: str) -> Structure:
    return Structure(
        name, "halves", where, seeded(make), vectors, _truth, _loss, decode=lambda model, z: model.decoder(z)
    )


STRUCTURES = (
    _structure("mu_logvar_gen", MuLogvarGen, "encoder.mu_logvar_gen as (n, D, 2): μ and log σ² interleaved"),
    _structure("q_params", QParams, "encoder as (n, D, 2): μ and log σ interleaved"),
    _structure("functional_chunk", Chunked, "Linear out in halves: μ, log σ²"),
    _structure("spread_first", SpreadFirst, "Linear out in halves: log σ, μ"),
    Structure(
        "factor_vae", "halves", "vae.encode in halves: μ, log σ²; two forwards a step", seeded(WithCritic),
        _two_batches,
        _critic_truth, own_step=_critic_step, decode=lambda model, z: model.vae.decode(z),
        optimisers=lambda m: [optim.Adam(m.vae.parameters(), 2e-3), optim.Adam(m.critic.parameters(), 1e-3)],
    ),
)  # fmt: skip
