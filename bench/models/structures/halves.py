"""One layer gives both sides: halves and interleaved pairs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import FromLogvar, elbo, mlp, seeded
from ..data import WIDTH, vectors
from ..structure import Posterior, Structure

LATENTS = 6


class MuLogvarGen(FromLogvar):
    """disentangling-vae: one layer, seen as (n, D, 2) and unbound, so the sides are interleaved."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"lin1": nn.Linear(WIDTH, 64), "mu_logvar_gen": nn.Linear(64, 2 * LATENTS)})
        self.decoder = mlp(LATENTS, 64, WIDTH)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        both = self.encoder["mu_logvar_gen"](functional.relu(self.encoder["lin1"](x)))
        mean, logvar = both.view(-1, LATENTS, 2).unbind(-1)
        return mean, logvar


class QParams(FromLogvar):
    """β-TCVAE: parameters (n, D, 2) of a Normal with log σ, drawn by a module of its own kind."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = mlp(WIDTH, 64, 2 * LATENTS, activation=nn.Tanh)
        self.decoder = mlp(LATENTS, 64, WIDTH, activation=nn.Tanh)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        params = self.encoder(x).view(len(x), LATENTS, 2)
        return params[..., 0], 2 * params[..., 1]


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
)  # fmt: skip
