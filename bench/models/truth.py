"""Statistics of a model's own posterior, computed here and not by the package: the reference of the study.

A fresh model takes the weights of the trained one, so nothing that watches the trained one sees these forwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .structure import Posterior, Structure

INPUTS = 8192
"""Inputs of the reference, from a stream of their own."""
OTHER = 1_000_003
"""Distance of their seed from that of the training; a model with one batch has the same."""
MIXTURE = 4096
"""Rows of the mixture that stands for the aggregate posterior."""
ROWS = 512
"""Rows at which the information is evaluated, with five points of each."""
NODES = (0.0, 1.3556262, -1.3556262, 2.8569700, -2.8569700)
WEIGHTS = (8 / 15, 0.2220759, 0.2220759, 0.0112574, 0.0112574)
"""Gauss-Hermite of five points for the standard normal."""


@dataclass(frozen=True)
class Reference:
    """The truth of one latent, with the standard error of each number."""

    name: str
    mean: Tensor
    """(n, P, D), or (n, D)."""
    variance: Tensor | None
    kl: Tensor
    kl_se: Tensor
    information: Tensor
    information_se: Tensor
    spread: Tensor
    """Variance of the means over all rows."""


def references(structure: Structure, trained: nn.Module, seed: int, inputs: int = INPUTS) -> list[Reference]:
    """Return the truth of each latent of a trained model, in train mode, at its present weights."""
    before = torch.get_rng_state()
    model = structure.build(seed)
    model.load_state_dict(trained.state_dict())
    model.train()
    batches, seen, gathered = structure.batches(seed if structure.inputs else seed + OTHER), 0, []
    while seen < inputs:
        batch = next(batches)
        with torch.no_grad():
            gathered.append(structure.posteriors(model, batch))
        seen += structure.inputs or len(gathered[-1][0].mean)
        if structure.inputs:
            break  # every batch is the same
    torch.set_rng_state(before)
    return [_reference(list(parts)) for parts in zip(*gathered, strict=True)]


def _reference(parts: list[Posterior]) -> Reference:
    mean = torch.cat([part.mean for part in parts]).double()
    variance = None if parts[0].variance is None else torch.cat([_variance(part) for part in parts]).double()
    spread = mean.flatten(0, -2).var(0, correction=0)
    unknown = torch.full_like(spread, math.nan)
    if variance is None:
        return Reference(parts[0].name, mean, None, unknown, unknown, unknown, unknown, spread)
    kl, kl_se = _averaged(0.5 * (mean**2 + variance - variance.log() - 1))
    information, error = marginal_information(mean.flatten(0, -2), variance.flatten(0, -2))
    return Reference(parts[0].name, mean, variance, kl, kl_se, information, error, spread)


def _variance(part: Posterior) -> Tensor:
    assert part.variance is not None
    return part.variance


def _averaged(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of all rows, and its standard error from the means of the inputs."""
    by_input = values.mean(1) if values.dim() == 3 else values
    return by_input.mean(0), by_input.std(0) / len(by_input) ** 0.5


def marginal_information(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return I(x; z_j) = E log q(z_j | x) / q(z_j) of each dimension, q(z_j) the mixture of many rows, and its error.

    Args:
        mean, variance: (n, D).
    """
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(mean), generator=generator)
    mixture, rows = order[:MIXTURE], order[:MIXTURE][:ROWS]
    results = []
    for m, v in zip(mean.T, variance.T, strict=True):
        m, v = m - m.mean(), v.clamp(min=1e-20)
        log_weights, narrow = (-0.5 * v[mixture].log()).float(), (0.5 / v[mixture]).float()
        terms = torch.zeros(len(rows), dtype=torch.float64)
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            z = m[rows] + node * v[rows].sqrt()
            logs = log_weights - (z.unsqueeze(1) - m[mixture]).float() ** 2 * narrow
            density = torch.logsumexp(logs, 1).double() - math.log(len(mixture))
            terms += weight * (-0.5 * v[rows].log() - 0.5 * node**2 - density)
        results.append((terms.mean(), terms.std() / len(terms) ** 0.5))
    return torch.stack([value for value, _ in results]), torch.stack([error for _, error in results])


def ablation(structure: Structure, model: Any, reference: Reference) -> Tensor | None:
    """Return, by dimension, the share of the output's variance that goes if its samples are permuted."""
    if structure.decode is None or reference.variance is None or reference.mean.dim() != 2:
        return None
    mean, std = reference.mean[:2048].float(), reference.variance[:2048].float().sqrt()
    generator = torch.Generator().manual_seed(0)
    z = mean + std * torch.randn(mean.shape, generator=generator)
    with torch.no_grad():
        output = structure.decode(model, z).flatten(1)
        effects = []
        for j in range(z.shape[1]):
            permuted = z.clone()
            permuted[:, j] = z[torch.randperm(len(z), generator=generator), j]
            change = structure.decode(model, permuted).flatten(1) - output
            effects.append(change.var(0).sum() / (2 * output.var(0).sum()))
    return torch.stack(effects)
