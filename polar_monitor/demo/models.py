"""Small models: a β-VAE and an autoencoder, both multilayer perceptrons."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class BetaVae(nn.Module):
    """A VAE with a diagonal Gaussian posterior, an N(0, 1) prior and a Bernoulli decoder (Kingma & Welling 2014)."""

    def __init__(self, inputs: int, latents: int = 10, hidden: int = 256) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.fc_mu = nn.Linear(hidden, latents)
        self.fc_logvar = nn.Linear(hidden, latents)
        self.decoder = nn.Sequential(
            nn.Linear(latents, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, inputs)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the reconstruction, posterior mean and log-variance."""
        h = self.encoder(x)
        mean, logvar = self.fc_mu(h), self.fc_logvar(h)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        return self.decoder(z), mean, logvar

    def loss(self, x: Tensor, beta: float) -> Tensor:
        """Negative evidence lower bound with the KL weighted by β (Higgins et al. 2017), nats an input."""
        logits, mean, logvar = self(x)
        reconstruction = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(1)
        bound: Tensor = (reconstruction + beta * kl).mean()
        return bound


class Autoencoder(nn.Module):
    """A plain autoencoder, whose code has a mean and no variance; `decay` times its square is the L2 penalty."""

    def __init__(self, inputs: int, latents: int = 10, hidden: int = 256, decay: float = 0.0) -> None:
        super().__init__()
        self.decay = decay
        self.encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, latents))
        self.decoder = nn.Sequential(nn.Linear(latents, hidden), nn.ReLU(), nn.Linear(hidden, inputs))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the reconstruction, and the code."""
        code = self.encoder(x)
        return self.decoder(code), code

    def loss(self, x: Tensor) -> Tensor:
        """Cross-entropy of the reconstruction and the penalty of the code, nats an input."""
        logits, code = self(x)
        reconstruction = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        penalised: Tensor = (reconstruction + self.decay * code.square().sum(1)).mean()
        return penalised
