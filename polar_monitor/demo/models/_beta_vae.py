"""β-VAE of multilayer perceptrons."""

from __future__ import annotations

from torch import Tensor, nn

from ._gaussian_vae import GaussianVae
from ._likelihood import Likelihood, bernoulli


class BetaVae(GaussianVae):
    """VAE with a diagonal Gaussian posterior, an N(0, 1) prior and a decoder of the given likelihood."""

    def __init__(self, inputs: int, latents: int = 10, hidden: int = 256, likelihood: Likelihood = bernoulli) -> None:
        super().__init__(likelihood)
        self.encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.fc_mu = nn.Linear(hidden, latents)
        self.fc_logvar = nn.Linear(hidden, latents)
        self.decoder = nn.Sequential(
            nn.Linear(latents, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, inputs)
        )

    def encode(self, x: Tensor, u: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the posterior mean and log-variance, (n, D) each; u is not used."""
        h = self.encoder(x)
        return self.fc_mu(h), self.fc_logvar(h)
