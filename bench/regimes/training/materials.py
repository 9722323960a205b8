"""What a model of the grid is made of: its data, and the untrained model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench import zoo
from polar_monitor.demo import data, models

from .grid import Spec
from .record import Trained

SPECTRUM = (16.0, 10.0, 5.0, 2.5, 1.5, 0.6, 0.3, 0.1)
"""Eigenvalues of the linear-Gaussian data; the noise variance of its models is 1, so that e = β."""
TRAIN, HELD_OUT = 8192, 4096
"""Rows to train on, and held-out ones."""
TARGETS = {
    "sprites": ("shape class", "scale", "angle", "x", "y"),
    "digits": ("digit class",),
    "conditional": ("first height", "second class", "second height"),
    "linear-gaussian": tuple(f"coordinate {k}" for k in range(len(SPECTRUM))),
    "auxiliary": ("source 0", "source 1", "source 2"),
    "patches": ("picture class", "contrast"),
}


class Rows(NamedTuple):
    """Rows of a data set: inputs, auxiliary variable where there is one, factors or labels."""

    x: Tensor
    u: Tensor | None
    targets: NDArray[np.float64]


def rows(spec: Spec) -> tuple[Rows, Rows]:
    """Rows to train on and held-out ones, drawn anew for every seed; of the 1797 digits a third is held out."""
    n, u = TRAIN + HELD_OUT, None
    match spec.data:
        case "sprites":
            x, targets = data.sprites(n, spec.seed)
        case "digits":
            x, targets = data.digits()
        case "conditional":
            x, targets = data.conditional(n, spec.option, spec.seed)
        case "linear-gaussian":
            x, targets = zoo.linear_gaussian(n, SPECTRUM, spec.seed)
        case "auxiliary":
            x, u, targets = data.auxiliary(n, seed=spec.seed)
        case _:
            x, targets = zoo.patches(n, seed=spec.seed)
    x = x * spec.factor
    order = np.random.default_rng(spec.seed).permutation(len(x))
    cut = len(x) * TRAIN // n
    first, second = (
        Rows(x[part], None if u is None else u[part], targets[part]) for part in (order[:cut], order[cut:])
    )
    return first, second


def build(spec: Spec, like: Rows) -> zoo.LatentModel:
    """The untrained model for rows like these."""
    inputs = like.x.shape[1]
    usual = {"digits": 8, "conditional": 6, "auxiliary": 6, "linear-gaussian": 8}.get(spec.data, 10)
    latents = spec.latents or usual
    pictures = spec.data != "patches"
    match spec.family:
        case "beta-vae":
            return models.BetaVae(inputs, latents, 128, models.bernoulli if pictures else models.Gaussian(0.5))
        case "conv-vae":
            return zoo.ConvVae(inputs, latents, 8)
        case "linear-vae":
            return zoo.LinearVae(inputs, latents, noise=1.0)
        case "ivae":
            assert like.u is not None
            return models.IVae(inputs, like.u.shape[1], latents, 64)
        case "least-volume":
            return zoo.LeastVolume(inputs, latents, 128)
        case "rae-l2":
            return zoo.RaeL2(inputs, latents, 128)
        case "rae-sn":
            return zoo.RaeSn(inputs, latents, 128)
        case "column-decay":
            return zoo.ColumnDecay(inputs, latents, 128)
        case _:
            return models.Autoencoder(inputs, latents, 128, likelihood=models.squared_error)


def rebuilt(model: Trained) -> nn.Module | None:
    """Return the trained autoencoder of a record, in eval mode; None for models with a variance."""
    if model.weights is None:
        return None
    spec = Spec(model.family, model.data, model.strength, model.seed, latents=model.dimensions)
    like = Rows(torch.zeros(0, model.inputs), None, np.zeros((0, 0)))
    found = build(spec, like)
    assert isinstance(found, nn.Module)
    found.load_state_dict({name: torch.as_tensor(array) for name, array in model.weights.items()})
    return found.eval()
