"""Vector VAEs with two heads: the names that tutorials and libraries give them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import FromLogvar, elbo, mlp, seeded
from ..data import WIDTH, vectors
from ..structure import Posterior, Structure

LATENTS = 8


class TwoHeads(FromLogvar):
    """An encoder, two linear heads under names of choice, a decoder; the second head gives log σ²."""

    def __init__(self, mean_name: str, spread_name: str) -> None:
        super().__init__()
        self.encoder = mlp(WIDTH, 64, 64)
        self.names = mean_name, spread_name
        for name in self.names:
            self.add_module(name, nn.Linear(64, LATENTS))
        self.decoder = mlp(LATENTS, 64, WIDTH)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.encoder(x))
        mean, spread = (getattr(self, name)(h) for name in self.names)
        return mean, spread


class Numbered(nn.Module):
    """PyTorch's example: layers with numbers only."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(WIDTH, 64)
        self.fc21 = nn.Linear(64, LATENTS)
        self.fc22 = nn.Linear(64, LATENTS)
        self.fc3 = nn.Linear(LATENTS, 64)
        self.fc4 = nn.Linear(64, WIDTH)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mean: Tensor, logvar: Tensor) -> Tensor:
        std = torch.exp(0.5 * logvar)
        return mean + torch.randn_like(std) * std

    def decode(self, z: Tensor) -> Tensor:
        return self.fc4(functional.relu(self.fc3(z)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        return self.decode(self.reparameterize(mean, logvar)), mean, logvar


class HeadsInDict(FromLogvar):
    """Heads in a dict, under keys that name no unit; σ = softplus."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp(WIDTH, 64, 64)
        self.heads = nn.ModuleDict({"loc": nn.Linear(64, LATENTS), "scale": nn.Linear(64, LATENTS)})
        self.decoder = mlp(LATENTS, 64, WIDTH)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.body(x))
        return self.heads["loc"](h), 2 * (functional.softplus(self.heads["scale"](h)) + 1e-4).log()


class HeadsInList(FromLogvar):
    """Heads in a list: no name says which is which."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = mlp(WIDTH, 64, 64)
        self.heads = nn.ModuleList(nn.Linear(64, LATENTS) for _ in range(2))
        self.decoder = mlp(LATENTS, 64, WIDTH)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.trunk(x))
        mean, logvar = (head(h) for head in self.heads)
        return mean, logvar


def _loss(model: Any, x: Tensor) -> Tensor:
    output, mean, logvar = model(x)
    return elbo(output, x, mean, logvar)


def _truth(model: Any, x: Tensor) -> Posterior:
    mean, logvar = model.encode(x)
    return Posterior(mean, logvar.exp())


def _structure(name: str, make: Any, where: str, decoder: str = "decoder") -> Structure:
    return Structure(
        name, "plain", where, seeded(make), vectors, _truth, _loss,
        decode=lambda model, z: getattr(model, decoder)(z),
    )  # fmt: skip


NAMES = (("fc_mu", "fc_var"), ("fc_mu", "fc_ln_var"), ("z_mean", "z_log_var"), ("mu_head", "prec_head"),
         ("to_latent_mean", "to_latent_rho"))  # fmt: skip
"""Names of the two heads."""
STRUCTURES = (
    _structure("pytorch_example", Numbered, "Linear fc21 gives μ, fc22 log σ²", "decode"),
    *(
        _structure(
            f"heads_{mean}_{spread}", lambda a=mean, b=spread: TwoHeads(a, b), f"{mean} gives μ, {spread} log σ²"
        )
        for mean, spread in NAMES
    ),
    _structure("heads_in_dict", HeadsInDict, "heads['loc'] gives μ, softplus of heads['scale'] σ"),
    _structure("heads_in_list", HeadsInList, "heads.0 gives μ, heads.1 log σ²"),
)
