"""Replacing latent dimensions on held-out inputs, and what that does to the reconstruction of each.

z_j is replaced by draws from its marginal (z_j of other inputs), by its mean, and, where the prior is conditional, by
draws from p(z_j | u); the rise in reconstruction loss is taken against the same z with z_j left alone. The draws are
stratified: the sorted marginal is cut into as many parts as there are draws, and every input meets each part once, in
random order, so that the mean over draws is unbiased and its noise small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.zoo.protocol import LatentModel

Float32 = NDArray[np.float32]
DRAWS = 16


@dataclass(frozen=True, eq=False)
class Rises:
    """Rises of the loss of every input, mean over draws, in the unit of `model.reconstruction`."""

    loss: float
    """Mean reconstruction loss without any intervention."""
    by_draw: Float32
    """z_j replaced by draws from its marginal (m, D)."""
    by_mean: Float32
    """z_j replaced by the mean of its marginal (m, D)."""
    by_prior: Float32 | None
    """z_j replaced by draws from the conditional prior (m, D); None where there is none."""
    all_by_draw: Float32
    """All dimensions replaced by the z of another input (m,)."""
    all_by_mean: Float32
    """All dimensions replaced by their means (m,)."""


@torch.no_grad()
def intervene(model: LatentModel, x: Tensor, u: Tensor | None = None, draws: int = DRAWS, seed: int = 0) -> Rises:
    """Replace every latent dimension in turn, for the inputs x (m, inputs) and u (m, U); `seed` fixes the draws."""
    rng = torch.Generator().manual_seed(seed)
    mean, logvar = model.encode(x, u)
    prior = model.prior(u)
    m, dimensions = mean.shape
    centre = mean.mean(0)
    part = torch.stack([torch.randperm(draws, generator=rng) for _ in range(m)])
    loss, all_by_draw, all_by_mean = (torch.zeros(m) for _ in range(3))
    by_draw, by_mean, by_prior = (torch.zeros(m, dimensions) for _ in range(3))

    def sample(around: Tensor, spread: Tensor | None) -> Tensor:
        return around if spread is None else around + torch.exp(0.5 * spread) * _noise(around, rng)

    def replaced(z: Tensor, j: int, value: Tensor) -> Tensor:
        changed = z.clone()
        changed[:, j] = value
        return model.reconstruction(x, changed)

    for k in range(draws):
        z = sample(mean, logvar)
        before = model.reconstruction(x, z)
        loss += before
        rank = (part[:, k, None] + torch.rand(m, dimensions, generator=rng)) * (m / draws)
        others = sample(mean, logvar).sort(dim=0).values.gather(0, rank.long().clamp(max=m - 1))
        expected = None if prior is None else sample(*prior)
        for j in range(dimensions):
            by_draw[:, j] += replaced(z, j, others[:, j]) - before
            by_mean[:, j] += replaced(z, j, centre[j]) - before
            if expected is not None:
                by_prior[:, j] += replaced(z, j, expected[:, j]) - before
        all_by_draw += model.reconstruction(x, sample(mean, logvar)[torch.randperm(m, generator=rng)]) - before
        all_by_mean += model.reconstruction(x, centre.expand(m, -1)) - before

    def over(total: Tensor) -> Float32:
        return np.asarray((total / draws).numpy(), np.float32)

    given = None if prior is None else over(by_prior)
    return Rises(float(loss.mean()) / draws, over(by_draw), over(by_mean), given, over(all_by_draw), over(all_by_mean))


def _noise(like: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=rng)
