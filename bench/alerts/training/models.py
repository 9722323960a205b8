"""The models of the suite. Each has `posterior`, `decode` and `nats`, so that one loop and one intervention fit all.

Shapes: x (n, pixels), latents (n, D); `nats` is the reconstruction's negative log-likelihood of each image, (n,).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from polar_monitor.demo.models import BetaVae


class Vae(BetaVae):
    """The demo's β-VAE in the parts that the suite needs."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (n, D)."""
        h = self.encoder(x)
        return self.fc_mu(h), self.fc_logvar(h)

    def nats(self, z: Tensor, x: Tensor) -> Tensor:
        """Cross-entropy of the Bernoulli decoder."""
        return _bernoulli(self.decoder(z), x)


class NormVae(Vae):
    """With batch norm in the encoder."""

    def __init__(self, inputs: int, latents: int, hidden: int) -> None:
        super().__init__(inputs, latents, hidden)
        layers: list[nn.Module] = []
        for width in (inputs, hidden):
            layers += [nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
        self.encoder = nn.Sequential(*layers)


class ConvVae(Vae):
    """A small convolutional encoder of square images; the decoder stays a perceptron."""

    def __init__(self, inputs: int, latents: int, hidden: int) -> None:
        super().__init__(inputs, latents, hidden)
        side = math.isqrt(inputs)
        c, corner = hidden // 8, side // 4
        self.encoder = nn.Sequential(
            nn.Unflatten(1, (1, side, side)),
            nn.Conv2d(1, c, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(c, 2 * c, 4, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * c * corner**2, hidden),
            nn.ReLU(),
        )


class GaussianVae(Vae):
    """A Gaussian decoder with one learned variance; `normaliser` is the weight of its ½ log 2πv, which should be 1."""

    SPEED = 5.0
    """Adam moves a parameter by its learning rate a step; the log-variance moves so many times as fast."""

    def __init__(self, inputs: int, latents: int, hidden: int) -> None:
        super().__init__(inputs, latents, hidden)
        self.level = nn.Parameter(torch.tensor(-4.0 / self.SPEED))
        self.normaliser = 1.0

    def nats(self, z: Tensor, x: Tensor) -> Tensor:
        """Negative log-density, with the normaliser weighted."""
        log_variance = self.SPEED * self.level
        square = (torch.sigmoid(self.decoder(z)) - x).square() * torch.exp(-log_variance)
        return 0.5 * (square + self.normaliser * (math.log(2 * math.pi) + log_variance)).sum(1)


class RowVae(Vae):
    """A decoder that also reads the pixels before each pixel, in the measure of `forcing`: teacher forcing.

    The part of the pixels is a masked network (MADE, Germain et al. 2015), so that no pixel sees itself or later ones.
    """

    def __init__(self, inputs: int, latents: int, hidden: int) -> None:
        super().__init__(inputs, latents, hidden)
        self.forcing = 0.0
        self.first, self.second = nn.Linear(inputs, inputs), nn.Linear(inputs, inputs)
        self.register_buffer("mask", torch.tril(torch.ones(inputs, inputs)), persistent=False)

    def nats(self, z: Tensor, x: Tensor) -> Tensor:
        """Cross-entropy given z and the pixels before."""
        logits = self.decoder(z)
        return _bernoulli(logits + self.forcing * self.before(x) if self.forcing else logits, x)

    def before(self, x: Tensor) -> Tensor:
        """Logits from the pixels before."""
        mask: Tensor = self.get_buffer("mask")
        h = torch.relu(functional.linear(x, self.first.weight * mask, self.first.bias))
        logits: Tensor = functional.linear(h, self.second.weight * mask.tril(-1), self.second.bias)
        return logits


class LinearVae(nn.Module):
    """Linear encoder and decoder, Gaussian of variance 1: its optimum is known in closed form (Lucas et al. 2019)."""

    def __init__(self, inputs: int, latents: int, hidden: int) -> None:
        super().__init__()
        self.fc_mu, self.fc_logvar = nn.Linear(inputs, latents), nn.Linear(inputs, latents)
        nn.init.zeros_(self.fc_logvar.weight)
        self.decoder = nn.Linear(latents, inputs)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (n, D)."""
        return self.fc_mu(x), self.fc_logvar(x)

    def nats(self, z: Tensor, x: Tensor) -> Tensor:
        """Half the squared error; the constant is left out."""
        square: Tensor = (self.decoder(z) - x).square()
        return 0.5 * square.sum(1)


FAMILIES: dict[str, type[Vae] | type[LinearVae]] = {
    "mlp": Vae,
    "norm": NormVae,
    "conv": ConvVae,
    "gaussian": GaussianVae,
    "rows": RowVae,
    "linear": LinearVae,
}


def _bernoulli(logits: Tensor, x: Tensor) -> Tensor:
    nats: Tensor = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    return nats
