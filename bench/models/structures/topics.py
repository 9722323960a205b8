"""Topic models: the sample goes through a softmax before any module takes it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..blocks import kl_logvar, sample, seeded
from ..data import baskets
from ..structure import Posterior, Structure

LATENTS, ITEMS = 6, 40


class ProdLda(nn.Module):
    """ProdLDA: batch norm after both heads, a softmax and dropout between the sample and the topics."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(ITEMS, 32), nn.Softplus(), nn.Linear(32, 32), nn.Softplus())
        self.mean, self.logvar = nn.Linear(32, LATENTS), nn.Linear(32, LATENTS)
        self.mean_bn, self.logvar_bn = (nn.BatchNorm1d(LATENTS, affine=False) for _ in range(2))
        self.drop, self.beta = nn.Dropout(0.1), nn.Linear(LATENTS, ITEMS, bias=False)
        self.beta_bn = nn.BatchNorm1d(ITEMS, affine=False)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.encoder(x)
        return self.mean_bn(self.mean(h)), self.logvar_bn(self.logvar(h))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        shares = sample(mean, (0.5 * logvar).exp()).softmax(-1)
        return self.beta_bn(self.beta(self.drop(shares))).log_softmax(-1), mean, logvar


def _loss(model: Any, x: Tensor) -> Tensor:
    output, mean, logvar = model(x)
    return -(output * x).sum() / len(x) + kl_logvar(mean, logvar)


def _truth(model: Any, x: Tensor) -> Posterior:
    mean, logvar = model.encode(x)
    return Posterior(mean, logvar.exp())


STRUCTURES = (
    Structure(
        "prod_lda", "topics", "mean_bn gives μ, logvar_bn log σ²; a softmax of the sample is all that is taken",
        seeded(ProdLda), baskets, _truth, _loss,
    ),
)  # fmt: skip
