"""One VAE, trained through a wrapper, compiled, in parts, or in another mode."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from ..blocks import elbo, mlp, sample, seeded
from ..data import WIDTH, vectors
from ..structure import Posterior, Structure, adam

LATENTS = 6


class Inference(nn.Module):
    """The encoder: returns (mean, log σ²) as a named tuple would."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.mean, self.logvar = mlp(WIDTH, 48, 48), nn.Linear(48, LATENTS), nn.Linear(48, LATENTS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.net(x))
        return self.mean(h), self.logvar(h)


class Vae(nn.Module):
    """A VAE with `encode` and `decode`, which its training loop may call instead of the model."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Inference(), mlp(LATENTS, 48, WIDTH)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.encoder(x)
        return mean, logvar

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        return self.decode(sample(mean, (0.5 * logvar).exp())), mean, logvar


class Wrapped(nn.Module):
    """A data-parallel wrapper's form: the model is `module`."""

    def __init__(self) -> None:
        super().__init__()
        self.module = Vae()

    def forward(self, x: Tensor) -> Any:
        return self.module(x)


class Scripted(Vae):
    """A VAE with a scripted decoder."""

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer versions advise another compiler
            self.decoder = torch.jit.trace(self.decoder, torch.zeros(2, LATENTS))


class Functional(nn.Module):
    """Weights as bare parameters: the model has no child module."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (48, WIDTH), (LATENTS, 48), (LATENTS, 48), (48, LATENTS), (WIDTH, 48)
        for name, shape in zip(("w1", "w_mu", "w_lv", "w2", "w3"), sizes, strict=True):
            self.register_parameter(name, nn.Parameter(torch.randn(shape) / shape[1] ** 0.5))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(functional.linear(x, self.w1))
        return functional.linear(h, self.w_mu), functional.linear(h, self.w_lv)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        z = sample(mean, (0.5 * logvar).exp())
        return functional.linear(torch.tanh(functional.linear(z, self.w2)), self.w3), mean, logvar


def _compiled(backend: str) -> Callable[[int], nn.Module]:
    return lambda seed: torch.compile(seeded(Vae)(seed), backend=backend)  # type: ignore[return-value]


def _loss(model: Any, x: Tensor) -> Tensor:
    output, mean, logvar = model(x)
    return elbo(output, x, mean, logvar)


def _parts_loss(model: Any, x: Tensor) -> Tensor:
    mean, logvar = model.encode(x)
    output = model.decode(sample(mean, (0.5 * logvar).exp()))
    return elbo(output, x, mean, logvar)


def _several_samples(model: Any, x: Tensor) -> Tensor:
    mean, logvar = model.encode(x)
    std = (0.5 * logvar).exp()
    z = mean + std * torch.randn(5, *mean.shape)
    log_p = -((model.decode(z) - x) ** 2).sum(-1) / 0.2 - (z**2).sum(-1) / 2
    log_q = -(((z - mean) / std) ** 2).sum(-1) / 2 - std.log().sum(-1)
    return -torch.logsumexp(log_p - log_q, 0).mean()


def _accumulated(model: Any, optimisers: list[optim.Optimizer], x: Tensor) -> None:
    for part in x.chunk(2):
        (_loss(model, part) / 2).backward()
    optimisers[0].step()
    optimisers[0].zero_grad()


def _frozen_encoder(model: nn.Module) -> list[optim.Optimizer]:
    for parameter in model.encoder.net.parameters():  # type: ignore[union-attr]
        parameter.requires_grad_(False)
    return adam(model)


def _truth(model: Any, x: Tensor) -> Posterior:
    model = getattr(model, "_orig_mod", getattr(model, "module", model))
    mean, logvar = model.encode(x)
    return Posterior(mean, logvar.exp())


HEADS = "encoder.mean gives μ, encoder.logvar log σ²"


def _structure(name: str, where: str, build: Callable[[int], nn.Module], loss: Any = _loss, **more: Any) -> Structure:
    return Structure(name, "wrappers", where, build, vectors, _truth, loss, **more)


STRUCTURES = (
    _structure("encode_decode", f"{HEADS}; the loop calls encode and decode", seeded(Vae), _parts_loss),
    _structure("wrapped", f"module.{HEADS}", seeded(Wrapped)),
    _structure("compiled_eager", HEADS, _compiled("eager")),
    _structure("compiled_aot_eager", HEADS, _compiled("aot_eager")),
    _structure("scripted_decoder", HEADS, seeded(Scripted)),
    _structure("functional", "parameters w_mu and w_lv; no module", seeded(Functional)),
    _structure("iwae", f"{HEADS}; five samples an input", seeded(Vae), _several_samples),
    _structure("accumulated", f"{HEADS}; two forwards a step", seeded(Vae), None, own_step=_accumulated),
    _structure("frozen_encoder", HEADS, seeded(Vae), optimisers=_frozen_encoder),
)
