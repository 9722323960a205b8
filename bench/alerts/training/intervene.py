"""The ground truth of what a dimension is worth: what reconstruction loses when it is replaced on held-out images.

Replaced by what: by the same dimension of another image, which is a draw from its marginal. Nothing here knows the
monitor's statistics. Nats an image; the errors are of the paired differences. A dimension whose posterior is the prior
for every image is worth nothing, as a draw for another image is one for this image too: it is not replaced.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .models import LinearVae, Vae

SAME_AS_PRIOR = 0.01
"""Mean KL, in nats, below which a dimension is not replaced: its worth is 0."""


class Worth(NamedTuple):
    """One measurement; per dimension (D,)."""

    rise: Tensor
    """Rise of the reconstruction when z_j is replaced."""
    rise_se: Tensor
    total: float
    """The same when all of z is that of another image."""
    total_se: float
    noise: float
    """Rise that the posterior's own noise causes: of z = μ + σε over z = μ."""
    reconstruction: float
    kl: float
    mi: float
    """Mutual information of x and z by the held-out images' own mixture (He et al. 2019), for the baselines."""


@torch.no_grad()
def worth(model: Vae | LinearVae, held: Tensor, generator: torch.Generator) -> Worth:
    """Intervene on every dimension; the model is in eval mode meanwhile, in which the monitor does not listen."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    mean, logvar = model.posterior(held)
    z = mean + torch.exp(0.5 * logvar) * torch.randn(mean.shape, generator=generator)
    plain = model.nats(z, held)
    shifts = torch.randint(1, len(held), (mean.shape[1] + 1,), generator=generator).tolist()
    kls = 0.5 * (mean.square() + logvar.exp() - logvar - 1)
    each = torch.zeros_like(mean)
    for j, (shift, kl) in enumerate(zip(shifts[:-1], kls.mean(0).tolist(), strict=True)):
        if not kl < SAME_AS_PRIOR:  # NaN is replaced too
            other = z.clone()
            other[:, j] = z[:, j].roll(shift)
            each[:, j] = model.nats(other, held) - plain
    everything = model.nats(z.roll(shifts[-1], 0), held) - plain
    noise = plain - model.nats(mean, held)
    for module in training:
        module.training = True
    root = math.sqrt(len(held))
    return Worth(
        each.mean(0),
        each.std(0) / root,
        float(everything.mean()),
        float(everything.std()) / root,
        float(noise.mean()),
        float(plain.mean()),
        float(kls.sum(1).mean()),
        mutual_information(mean, logvar, z),
    )


def mutual_information(mean: Tensor, logvar: Tensor, z: Tensor) -> float:
    """E log q(z | x) - log q(z), q(z) the mixture of all posteriors (n, D), z one draw from each; at most log n."""
    precision = torch.exp(-logvar)
    square = (z.square() @ precision.T) - 2 * z @ (mean * precision).T + (mean.square() * precision).sum(1)
    density = -0.5 * (square + logvar.sum(1))
    return float((density.diagonal() - torch.logsumexp(density, 1)).mean()) + math.log(len(z))
