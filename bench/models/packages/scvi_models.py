"""Modules of scvi-tools, trained as its training plan does: the module's own loss with a KL weight of 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from scvi.module import LDVAE, SCANVAE, VAE, AutoZIVAE
from torch import Tensor
from torch.nn import functional

from ..blocks import seeded
from ..structure import Posterior, Structure
from .counts import GENES, cells

LATENTS = 6
LIBRARY = {"library_log_means": np.full((1, 1), 5.0), "library_log_vars": np.full((1, 1), 0.3)}


def loss(module: Any, tensors: dict[str, Tensor]) -> Tensor:
    """Return the loss of the module's forward."""
    return module(tensors)[2].loss


def truth(module: Any, tensors: dict[str, Tensor]) -> list[Posterior]:
    """Return the posterior of z, and that of the library size where the model has one."""
    outputs = module.inference(**module._get_inference_input(tensors))
    named = [(name, outputs.get(name)) for name in ("qz", "qz_m", "ql")]
    return [Posterior(q.mean, q.variance, name) for name, q in named if hasattr(q, "variance")]


def _structure(name: str, make: Any) -> Structure:
    return Structure(
        name, "scvi", "z_encoder.mean_encoder, z_encoder.var_encoder + ε", seeded(make), cells, truth, loss
    )


STRUCTURES = (
    _structure("VAE", lambda: VAE(GENES, 1, n_latent=LATENTS, n_hidden=48)),
    _structure("VAE_deep_nb", lambda: VAE(GENES, 1, n_latent=LATENTS, n_hidden=48, n_layers=2, gene_likelihood="nb")),
    _structure(
        "VAE_softplus", lambda: VAE(GENES, 1, n_latent=LATENTS, n_hidden=48, var_activation=functional.softplus)
    ),
    _structure("VAE_ln", lambda: VAE(GENES, 1, n_latent=LATENTS, n_hidden=48, latent_distribution="ln")),
    _structure("LDVAE", lambda: LDVAE(GENES, 1, n_latent=LATENTS, n_hidden=48, **LIBRARY)),
    _structure("VAE_library", lambda: VAE(GENES, 1, n_latent=LATENTS, use_observed_lib_size=False, **LIBRARY)),
    _structure("SCANVAE", lambda: SCANVAE(GENES, 1, 3, n_latent=LATENTS, n_hidden=48)),
    _structure("AutoZIVAE", lambda: AutoZIVAE(GENES, n_latent=LATENTS, n_hidden=48)),
)
