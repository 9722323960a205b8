"""Autoencoders of pythae with their default networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pythae.models
from torch import Tensor

from ..blocks import seeded
from ..data import WIDTH, vectors
from ..structure import Posterior, Structure

LATENTS = 6
WITH_VARIANCE = (
    "VAE", "BetaVAE", "DisentangledBetaVAE", "BetaTCVAE", "FactorVAE", "INFOVAE_MMD", "IWAE", "CIWAE", "MIWAE", "PIWAE",
    "VAMP", "VAE_IAF", "VAE_LinNF", "HVAE", "VAEGAN",
)  # fmt: skip
CODES = ("AE", "RAE_L2", "RAE_GP", "WAE_MMD", "Adversarial_AE")


def _batches(seed: int) -> Iterator[dict[str, Tensor]]:
    for x in vectors(seed):
        yield {"data": x}


def _loss(model: Any, batch: dict[str, Tensor]) -> Tensor:
    output = model(batch)
    if "loss" in output:
        return output["loss"]
    return sum(value for name, value in output.items() if name.endswith("_loss") and name != "recon_loss")


def _truth(model: Any, batch: dict[str, Tensor]) -> Posterior:
    output = model.encoder(batch["data"])
    return Posterior(output["embedding"], output["log_covariance"].exp())


def _code(model: Any, batch: dict[str, Tensor]) -> Posterior:
    return Posterior(model.encoder(batch["data"])["embedding"], None)


def _make(name: str) -> Any:
    config_name = f"{name}Config" if hasattr(pythae.models, f"{name}Config") else f"{name}_Config"
    config = getattr(pythae.models, config_name)(input_dim=(WIDTH,), latent_dim=LATENTS)
    return getattr(pythae.models, name)(config)


STRUCTURES = tuple(
    Structure(
        name, "pythae", "encoder.embedding, encoder.log_var", seeded(lambda name=name: _make(name)), _batches,
        _code if name in CODES else _truth, _loss,
    )
    for name in (*WITH_VARIANCE, *CODES)
)  # fmt: skip
