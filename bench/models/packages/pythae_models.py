"""Autoencoders of pythae with their default networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pythae.models
import torch
from torch import Tensor, optim

from ..blocks import seeded
from ..data import WIDTH, vectors
from ..structure import Posterior, Structure

LATENTS = 6
WITH_VARIANCE = (
    "VAE", "BetaVAE", "DisentangledBetaVAE", "BetaTCVAE", "FactorVAE", "INFOVAE_MMD", "IWAE", "CIWAE", "MIWAE", "PIWAE",
    "VAMP", "VAE_IAF", "VAE_LinNF", "HVAE", "VAEGAN", "Adversarial_AE",
)  # fmt: skip
CODES = ("AE", "RAE_L2", "RAE_GP", "WAE_MMD")
ADVERSARIAL = ("FactorVAE", "Adversarial_AE")
"""Models with a loss for each of two optimisers."""


def _batches(seed: int) -> Iterator[dict[str, Tensor]]:
    for x in vectors(seed):
        yield {"data": x}


def _loss(model: Any, batch: dict[str, Tensor]) -> Tensor:
    output = model(batch)
    if "loss" in output:
        return output["loss"]
    return sum(value for name, value in output.items() if name.endswith("_loss") and name != "recon_loss")


def _adversarial_step(model: Any, optimisers: list[optim.Optimizer], batch: dict[str, Tensor]) -> None:
    """Each side gets the gradient of its own loss, as the package's adversarial trainer does."""
    output = model(batch)
    critic = list(model.discriminator.parameters())
    others = [p for name, p in model.named_parameters() if not name.startswith("discriminator.")]
    for loss, parameters in ((output["autoencoder_loss"], others), (output["discriminator_loss"], critic)):
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
    optimisers[0].step()


def _truth(model: Any, batch: dict[str, Tensor]) -> Posterior:
    output = model.encoder(batch["data"])
    return Posterior(output["embedding"], output["log_covariance"].exp())


def _softplus_truth(model: Any, batch: dict[str, Tensor]) -> Posterior:
    """HVAE reads its second head as σ = softplus(·)."""
    output = model.encoder(batch["data"])
    return Posterior(output["embedding"], torch.nn.functional.softplus(output["log_covariance"]) ** 2)


def _code(model: Any, batch: dict[str, Tensor]) -> Posterior:
    return Posterior(model.encoder(batch["data"])["embedding"], None)


def _make(name: str) -> Any:
    config_name = f"{name}Config" if hasattr(pythae.models, f"{name}Config") else f"{name}_Config"
    config = getattr(pythae.models, config_name)(input_dim=(WIDTH,), latent_dim=LATENTS)
    return getattr(pythae.models, name)(config)


def _truth_of(name: str) -> Any:
    return _code if name in CODES else _softplus_truth if name == "HVAE" else _truth


STRUCTURES = tuple(
    Structure(
        name, "pythae", "encoder.embedding, encoder.log_var", seeded(lambda name=name: _make(name)), _batches,
        _truth_of(name), _loss, own_step=_adversarial_step if name in ADVERSARIAL else None,
    )
    for name in (*WITH_VARIANCE, *CODES)
)  # fmt: skip
