"""Modules of further models of scvi-tools, as each model makes its own for a small AnnData, with its own columns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import anndata
import mudata
import numpy as np
import scvi
import torch
from torch import Tensor
from torch.distributions import Distribution

from ..blocks import seeded
from ..structure import Posterior, Structure
from .counts import GENES
from .scvi_models import LATENTS, loss

CELLS, ROWS = 8192, 64
SMALL = {"n_latent": LATENTS, "n_hidden": 48}
PAIRS = (("qz_m", "qz_v"), ("qzm", "qzv"))
"""Names of mean and variance where a module gives no distribution."""


def _cells() -> anndata.AnnData:
    """Return counts of cells with three programs, and the columns that some model looks for."""
    draw = np.random.default_rng(5)
    rates = np.exp(draw.normal(size=(CELLS, 3)) @ draw.normal(size=(3, GENES)) * 0.6 + 1)
    counts, other = (draw.poisson(rates / part).astype(np.float32) for part in (1, 2))
    data = anndata.AnnData(counts)
    for name, values in (("batch", "01"), ("label", "abc"), ("sample", "012")):
        data.obs[name] = draw.choice(list(values), CELLS)
    noise = draw.random((2, CELLS, GENES)).astype(np.float32)
    data.layers["spliced"], data.layers["unspliced"] = counts + noise[0], other + noise[1]
    data.layers["covered"], data.layers["methylated"] = counts + 5, np.minimum(other, counts + 5)
    data.layers["stained"] = noise[0] * rates.astype(np.float32)
    data.obsm["protein"] = draw.poisson(rates[:, :8]).astype(np.float32)
    return data


def _made(model: Any, change: Callable[[Any], Any] | None = None, options: Any = None, **columns: Any) -> Any:
    """Return a model for cells that `change` has prepared, and its data."""
    logging.getLogger("scvi").setLevel(logging.ERROR)
    data = _cells()
    if change is not None:
        data = change(data)
    setup = model.setup_mudata if isinstance(data, mudata.MuData) else model.setup_anndata
    setup(data, **columns)
    return model(data, **(SMALL if options is None else options))


def _binary(data: Any) -> Any:
    data.X = (data.X > 1).astype(np.float32)
    return data


def _logarithms(data: Any) -> Any:
    data.X = np.log1p(data.X)
    return data


def _contexts(data: Any) -> Any:
    both = mudata.MuData({"mCG": data})
    both.obs["label"], both.obs["batch"] = data.obs["label"].values, data.obs["batch"].values
    return both


PROTEINS = {"protein_expression_obsm_key": "protein", "batch_key": "batch"}
FEW = {"n_latent": LATENTS, "empirical_protein_background_prior": False}
LAYERS = {"mc_layer": "methylated", "cov_layer": "covered", "methylation_contexts": ["mCG"]}
UNKNOWN = {"labels_key": "label", "unlabeled_category": "none", "batch_key": "batch"}
MODELS: dict[str, Callable[[], Any]] = {
    "TOTALVI": lambda: _made(scvi.model.TOTALVI, options=FEW, **PROTEINS),
    "PEAKVI": lambda: _made(scvi.model.PEAKVI, _binary),
    "CondSCVI": lambda: _made(scvi.model.CondSCVI, labels_key="label"),
    "POISSONVI": lambda: _made(scvi.external.POISSONVI),
    "SCAR": lambda: _made(
        scvi.external.SCAR, options=SMALL | {"ambient_profile": np.full((1, GENES), 1 / GENES, np.float32)}
    ),
    "SysVI": lambda: _made(
        scvi.external.SysVI, _logarithms, SMALL | {"n_prior_components": 3}, batch_key="batch"
    ),
    "VELOVI": lambda: _made(scvi.external.VELOVI, spliced_layer="spliced", unspliced_layer="unspliced"),
    "MRVI": lambda: _made(
        scvi.external.TorchMRVI, options={"n_latent": LATENTS}, sample_key="sample", batch_key="batch"
    ),
    "CYTOVI": lambda: _made(scvi.external.CYTOVI, layer="stained"),
    "TOTALANVI": lambda: _made(scvi.external.TOTALANVI, options=FEW, **PROTEINS, labels_key="label",
                               unlabeled_category="none"),
    "METHYLVI": lambda: _made(scvi.external.METHYLVI, _contexts, **LAYERS),
    "METHYLANVI": lambda: _made(
        scvi.external.METHYLANVI, _contexts, **LAYERS, **UNKNOWN,
        modalities={"labels_key": None, "batch_key": None},
    ),
}  # fmt: skip
"""Makers by the name of the model. MULTIVI, GIMVI and ContrastiveVI want batches of several kinds; DestVI a trained
model; LDA, Decipher and RESOLVI are guides of pyro; the others have no latent."""


@cache
def _columns(name: str) -> dict[str, Tensor]:
    model = MODELS[name]()
    (everything,) = model._make_data_loader(model.adata, batch_size=CELLS)
    return dict(everything)


def _structure(name: str) -> Structure:
    def batches(seed: int) -> Iterator[dict[str, Tensor]]:
        generator, columns = torch.Generator().manual_seed(seed), _columns(name)
        while True:
            rows = torch.randint(CELLS, (ROWS,), generator=generator)
            yield {key: column[rows] for key, column in columns.items()}

    def module(seed: int) -> Any:
        _columns(name)
        scvi.settings.seed = seed  # some modules begin with rows of the data
        return seeded(lambda: MODELS[name]().module)(seed)

    return Structure(name, "scvi", "the encoder of model.module", module, batches, _truth, loss)


def _truth(module: Any, tensors: dict[str, Tensor]) -> list[Posterior]:
    """Return the normal distributions of a row that the inference gives."""
    outputs = module.inference(**module._get_inference_input(tensors))
    normal = [(key, q) for key, q in outputs.items() if isinstance(q, Distribution) and q.mean.dim() == 2]
    named = [Posterior(q.mean, q.variance, key) for key, q in normal if len(q.mean) == ROWS]
    return named + [Posterior(outputs[m], outputs[v], m) for m, v in PAIRS if m in outputs]


STRUCTURES = tuple(_structure(name) for name in MODELS)
