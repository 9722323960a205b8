"""Networks with names like those of latents, but without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...blocks import mlp, seeded
from ...data import WIDTH, images, labelled, vectors
from ...structure import Structure

ACTIONS = 4


class Bottleneck(nn.Module):
    """A residual block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(width, width // 2, 1), nn.Conv2d(width // 2, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.conv2(functional.relu(self.conv1(x))))


class ResNet(nn.Module):
    """A classifier with modules that are named bottleneck."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bottleneck, self.fc = (
            nn.Conv2d(1, 12, 4, 4),
            nn.Sequential(Bottleneck(12), Bottleneck(12)),
            nn.Linear(12, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.bottleneck(functional.relu(self.stem(x))).mean((2, 3)))


class Classifier(nn.Module):
    """An encoder and a decoder that gives classes: no reconstruction, no prior."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.head = mlp(WIDTH, 48, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(functional.relu(self.features(x)))


class BayesLinear(nn.Module):
    """A layer whose weights have a posterior: weight_mu, and softplus of weight_rho."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.weight_mu = nn.Parameter(torch.randn(after, before) / before**0.5)
        self.weight_rho = nn.Parameter(torch.full((after, before), -4.0))

    def forward(self, x: Tensor) -> Tensor:
        std = functional.softplus(self.weight_rho)
        return functional.linear(x, self.weight_mu + std * torch.randn_like(std))


class Flow(nn.Module):
    """Affine couplings: each net gives a scale and a shift of half of the vector, so z is an exact function of x."""

    def __init__(self) -> None:
        super().__init__()
        half = WIDTH // 2
        self.scale_nets = nn.ModuleList(mlp(half, 32, half) for _ in range(2))
        self.mean_nets = nn.ModuleList(mlp(half, 32, half) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        total = x.new_zeros(())
        for scale, shift in zip(self.scale_nets, self.mean_nets, strict=True):
            left, right = x.chunk(2, 1)
            logs = torch.tanh(scale(left))
            x, total = torch.cat([right * logs.exp() + shift(left), left], 1), total + logs.sum() / len(x)
        return 0.5 * (x**2).sum() / len(x) - total


class Mixture(nn.Module):
    """A mixture density network: weights, mu and sigma of four components of the target."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = mlp(WIDTH, 48, 48)
        self.pi, self.mu, self.sigma = nn.Linear(48, 4), nn.Linear(48, 4), nn.Linear(48, 4)

    def forward(self, x: Tensor) -> torch.distributions.Distribution:
        h = torch.tanh(self.hidden(x))
        weights = torch.distributions.Categorical(logits=self.pi(h))
        parts = torch.distributions.Normal(self.mu(h), self.sigma(h).exp())
        return torch.distributions.MixtureSameFamily(weights, parts)


class Contrastive(nn.Module):
    """Two noisy views through an encoder and a projection head; no decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.projector = mlp(WIDTH, 48, 16), mlp(16, 16, 8)

    def forward(self, x: Tensor) -> Tensor:
        a, b = (functional.normalize(self.projector(self.encoder(x + 0.1 * torch.randn_like(x)))) for _ in range(2))
        return functional.cross_entropy(a @ b.T / 0.2, torch.arange(len(x)))


def _pictures(seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    for x in images(seed):
        yield x, (x.amax((1, 2, 3)) * 3 - 1).long().clamp(0, 3)


def _class_loss(model: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
    return functional.cross_entropy(model(batch[0]), batch[1])


def _own(model: Any, x: Tensor) -> Tensor:
    return model(x)


def _mixture_loss(model: Any, x: Tensor) -> Tensor:
    return -model(x).log_prob(x[:, 0] * x[:, 1]).mean()


STRUCTURES = (
    Structure("resnet", "without", "residual blocks", seeded(ResNet), _pictures, None, _class_loss),
    Structure("classifier", "without", "features of a classifier", seeded(Classifier), labelled, None, _class_loss),
    Structure(
        "bayes_layers", "without", "posteriors of weights, not of inputs",
        seeded(lambda: nn.Sequential(BayesLinear(WIDTH, 32), nn.ReLU(), BayesLinear(32, 4))), labelled, None,
        _class_loss,
    ),
    Structure("flow", "without", "scales and shifts of couplings", seeded(Flow), vectors, None, _own),
    Structure("mixture_density", "without", "μ and σ of the target", seeded(Mixture), vectors, None, _mixture_loss),
    Structure("contrastive", "without", "projections of two views", seeded(Contrastive), vectors, None, _own),
)  # fmt: skip
