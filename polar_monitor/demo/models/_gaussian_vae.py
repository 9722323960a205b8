"""Base of VAEs with a diagonal Gaussian posterior: sampling, divergence from the prior, evidence lower bound."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._likelihood import Likelihood, bernoulli


def divergence(mean: Tensor, logvar: Tensor, prior: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Return KL(N(mean, exp logvar) ‖ prior) of each dimension, nats (n, D).

    `prior` is a mean and a log-variance; None is N(0, 1).

    >>> import torch
    >>> divergence(torch.tensor([[2.0, -1.0]]), torch.zeros(1, 2)).tolist()
    [[2.0, 0.5]]
    """
    if prior is not None:
        centre, width = prior
        mean, logvar = (mean - centre) * torch.exp(-0.5 * width), logvar - width
    return 0.5 * (mean.square() + logvar.exp() - logvar - 1)


class GaussianVae(nn.Module):
    """VAE (Kingma & Welling 2014) whose subclass gives `encode` and `decoder`."""

    decoder: nn.Module

    def __init__(self, likelihood: Likelihood = bernoulli) -> None:
        super().__init__()
        self.likelihood = likelihood

    def forward(self, x: Tensor, u: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return the decoder's output for a sample of the posterior, the posterior mean and the log-variance."""
        mean, logvar = self.encode(x, u)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        return self.decode(z), mean, logvar

    def encode(self, x: Tensor, u: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the posterior mean and log-variance, (n, D) each."""
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        """Return the parameters of the likelihood (n, inputs) for z (n, D)."""
        output: Tensor = self.decoder(z)
        return output

    def reconstruction(self, x: Tensor, z: Tensor) -> Tensor:
        """Return the negative log-likelihood of x given z, nats (n,)."""
        return self.likelihood(x, self.decode(z))

    def prior(self, u: Tensor | None = None) -> tuple[Tensor, Tensor] | None:
        """Return None, which means N(0, 1)."""
        return None

    def loss(self, x: Tensor, beta: float, u: Tensor | None = None) -> Tensor:
        """Return the negative evidence lower bound with KL times β (Higgins et al. 2017), nats per input."""
        output, mean, logvar = self(x) if u is None else self(x, u)
        kl = divergence(mean, logvar, self.prior(u)).sum(1)
        return (self.likelihood(x, output) + beta * kl).mean()
