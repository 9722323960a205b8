"""A VAE of pyro: the model and the guide are methods, the loss is the library's ELBO."""

from __future__ import annotations

from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import Trace_ELBO
from torch import Tensor, nn

from ..blocks import mlp, seeded
from ..data import WIDTH, vectors
from ..structure import Posterior, Structure

LATENTS = 6


class Encoder(nn.Module):
    """The encoder of the library's example: fc21 gives μ, exp(fc22) σ."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(WIDTH, 48), nn.Linear(48, LATENTS), nn.Linear(48, LATENTS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = nn.functional.softplus(self.fc1(x))
        return self.fc21(h), torch.exp(self.fc22(h))


class PyroVae(nn.Module):
    """The VAE of the library's example."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(), mlp(LATENTS, 48, WIDTH)

    def model(self, x: Tensor) -> None:
        pyro.module("decoder", self.decoder)
        with pyro.plate("data", len(x)):
            z = pyro.sample("latent", dist.Normal(torch.zeros(len(x), LATENTS), 1.0).to_event(1))
            pyro.sample("obs", dist.Normal(self.decoder(z), 0.3).to_event(1), obs=x)

    def guide(self, x: Tensor) -> None:
        pyro.module("encoder", self.encoder)
        with pyro.plate("data", len(x)):
            pyro.sample("latent", dist.Normal(*self.encoder(x)).to_event(1))


def _make() -> PyroVae:
    pyro.clear_param_store()
    return PyroVae()


def _loss(model: Any, x: Tensor) -> Tensor:
    return Trace_ELBO().differentiable_loss(model.model, model.guide, x) / len(x)


def _truth(model: Any, x: Tensor) -> Posterior:
    mean, std = model.encoder(x)
    return Posterior(mean, std**2)


STRUCTURES = (
    Structure("VAE", "pyro", "encoder.fc21 gives μ, encoder.fc22 log σ", seeded(_make), vectors, _truth, _loss),
)
