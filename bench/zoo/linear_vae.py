"""The linear VAE, whose optimum is known in closed form."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from polar_monitor.demo.models import Gaussian, GaussianVae

Array = NDArray[np.float64]


class LinearVae(GaussianVae):
    """A VAE with affine encoder and decoder and a Gaussian likelihood of fixed variance (Lucas et al. 2019)."""

    def __init__(self, inputs: int, latents: int, noise: float = 1.0) -> None:
        super().__init__(Gaussian(noise))
        self.fc_mu = nn.Linear(inputs, latents)
        self.fc_logvar = nn.Linear(inputs, latents)
        self.decoder = nn.Linear(latents, inputs)

    def encode(self, x: Tensor, u: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance, (n, D) each; u is not used."""
        return self.fc_mu(x), self.fc_logvar(x)


class LinearOptimum(NamedTuple):
    """What each dimension of an optimal `LinearVae` is, (D,) each, in the order of the eigenvalues."""

    reliability: Array
    """r = V / (V + E)."""
    information: Array
    """I(x; z) = KL, nats."""
    mean_variance: Array
    """V = Var μ."""
    posterior_variance: Array
    """σ², the same for every input."""
    rise: Array
    """Rise in reconstruction loss, nats, when z_j is replaced by an independent draw from its marginal."""


def linear_optimum(eigenvalues: ArrayLike, beta: float, noise: float) -> LinearOptimum:
    """The optimum for Gaussian data with these eigenvalues of its covariance, weight β and noise variance η².

    With e = β η² a dimension of eigenvalue λ ≤ e is passive; any other has σ² = e/λ, Var μ = 1 − e/λ and
    I = KL = ½ log(λ/e) (Lucas et al. 2019; probabilistic PCA of Tipping & Bishop 1999 for β = 1). Its column of the
    decoder has the squared norm λ − e, so that replacing z costs (λ − e) / η² nats, and I = ½ log(1 + rise / β).

    >>> linear_optimum([10.0, 2.0, 0.8], beta=1.0, noise=1.0).information.round(3).tolist()
    [1.151, 0.347, 0.0]
    """
    values = np.asarray(eigenvalues, dtype=np.float64)
    e = beta * noise
    ratio = np.maximum(values, e) / e
    reliability = 1 - 1 / ratio
    return LinearOptimum(reliability, 0.5 * np.log(ratio), reliability, 1 / ratio, beta * (ratio - 1))
