"""The module of DRVI."""

from __future__ import annotations

from typing import Any

from drvi.model import DRVI
from torch import Tensor

from ..blocks import seeded
from ..structure import Posterior, Structure
from .counts import GENES, cells
from .scvi_models import loss


def _truth(module: Any, tensors: dict[str, Tensor]) -> Posterior:
    outputs = module.inference(**module._get_inference_input(tensors))
    return Posterior(outputs["qzm"], outputs["qzv"])


STRUCTURES = (
    Structure(
        "DRVI",
        "drvi",
        "z_encoder",
        seeded(lambda: DRVI._module_cls(GENES, n_latent=6, gene_likelihood="normal")),
        cells,
        _truth,
        loss,
    ),
)
