"""A convolutional β-VAE for small square images."""

from __future__ import annotations

import math

from torch import Tensor, nn

from polar_monitor.demo.models import GaussianVae, Likelihood, bernoulli


class ConvVae(GaussianVae):
    """As `BetaVae`, with two convolutions of stride 2 on either side; images come flat, (n, side²).

    Raises ValueError for `inputs` that are no square of a multiple of 4.
    """

    def __init__(self, inputs: int, latents: int = 10, channels: int = 16, likelihood: Likelihood = bernoulli) -> None:
        super().__init__(likelihood)
        side = math.isqrt(inputs)
        if side * side != inputs or side % 4:
            raise ValueError(f"inputs: expected the square of a multiple of 4, got {inputs}")
        wide, small = 2 * channels, side // 4
        self.encoder = nn.Sequential(
            nn.Unflatten(1, (1, side, side)),
            nn.Conv2d(1, channels, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, wide, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.fc_mu = nn.Linear(wide * small * small, latents)
        self.fc_logvar = nn.Linear(wide * small * small, latents)
        self.decoder = nn.Sequential(
            nn.Linear(latents, wide * small * small),
            nn.ReLU(),
            nn.Unflatten(1, (wide, small, small)),
            nn.ConvTranspose2d(wide, channels, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(channels, 1, 4, stride=2, padding=1),
            nn.Flatten(),
        )

    def encode(self, x: Tensor, u: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance, (n, D) each; u is not used."""
        h = self.encoder(x)
        return self.fc_mu(h), self.fc_logvar(h)
