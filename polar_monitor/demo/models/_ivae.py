"""Identifiable VAE: its prior depends on an auxiliary variable u."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._gaussian_vae import GaussianVae
from ._likelihood import Gaussian, Likelihood


class IVae(GaussianVae):
    """VAE of Khemakhem et al. (2020): the encoder sees x and u, the prior of z given u is Gaussian and learned.

    The mean of the prior is learned as well as its variance. A dimension that ignores x given u has the mean and
    variance of the prior: it looks informative beside N(0, 1), and not beside `prior(u)`.
    """

    def __init__(
        self, inputs: int, auxiliary: int, latents: int = 6, hidden: int = 64, likelihood: Likelihood | None = None
    ) -> None:
        super().__init__(Gaussian(0.05) if likelihood is None else likelihood)
        self.encoder = _perceptron(inputs + auxiliary, hidden)
        self.fc_mu = nn.Linear(hidden, latents)
        self.fc_logvar = nn.Linear(hidden, latents)
        self.decoder = nn.Sequential(_perceptron(latents, hidden), nn.Linear(hidden, inputs))
        self.prior_network = _perceptron(auxiliary, hidden)
        self.prior_mean = nn.Linear(hidden, latents)
        self.prior_logvar = nn.Linear(hidden, latents)

    def encode(self, x: Tensor, u: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the posterior mean and log-variance given x and u, (n, D) each. Raises ValueError without u."""
        h = self.encoder(torch.cat([x, _given(u)], dim=1))
        return self.fc_mu(h), self.fc_logvar(h)

    def prior(self, u: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the mean and log-variance of z given u, (n, D) each. Raises ValueError without u."""
        h = self.prior_network(_given(u))
        return self.prior_mean(h), self.prior_logvar(h)


def _perceptron(inputs: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.LeakyReLU(0.1), nn.Linear(hidden, hidden), nn.LeakyReLU(0.1))


def _given(u: Tensor | None) -> Tensor:
    if u is None:
        raise ValueError("u: expected the auxiliary variable (n, U), got None: call model(x, u)")
    return u
