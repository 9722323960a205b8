"""Several encoders: products and mixtures of experts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import kl_logvar, kl_std, mlp, sample, seeded, squared
from ..data import WIDTH, two_views
from ..structure import Posterior, Structure

LATENTS = 5


class ModalityEncoder(nn.Module):
    """The encoder of one modality: fc_mu and fc_logvar."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.fc_mu, self.fc_logvar = mlp(WIDTH, 48, 48), nn.Linear(48, LATENTS), nn.Linear(48, LATENTS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.silu(self.net(x))
        return self.fc_mu(h), self.fc_logvar(h)


class ProductOfExperts(nn.Module):
    """The product of normal experts (k, n, D), the prior among them."""

    def forward(self, mean: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
        precision = 1 / (logvar.exp() + 1e-8)
        total = precision.sum(0)
        return (mean * precision).sum(0) / total, -total.log()


class Mvae(nn.Module):
    """MVAE: the joint posterior is the product of both experts and the prior."""

    def __init__(self) -> None:
        super().__init__()
        self.image_encoder, self.text_encoder, self.experts = ModalityEncoder(), ModalityEncoder(), ProductOfExperts()
        self.image_decoder, self.text_decoder = mlp(LATENTS, 48, WIDTH), mlp(LATENTS, 48, WIDTH)

    def infer(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        zeros = image.new_zeros(len(image), LATENTS)
        sides = zip((zeros, zeros), self.image_encoder(image), self.text_encoder(text), strict=True)
        mean, logvar = (torch.stack(side) for side in sides)
        return self.experts(mean, logvar)

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, logvar = self.infer(image, text)
        z = sample(mean, (0.5 * logvar).exp())
        return self.image_decoder(z), self.text_decoder(z), mean, logvar


class Mmvae(nn.Module):
    """MMVAE: each modality's posterior is drawn from, and decoded into both; σ by softmax times D, as published."""

    def __init__(self) -> None:
        super().__init__()
        self.vaes = nn.ModuleList(
            nn.ModuleDict({"enc": ModalityEncoder(), "dec": mlp(LATENTS, 48, WIDTH)}) for _ in range(2)
        )

    def posterior(self, which: int, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = self.vaes[which]["enc"](x)
        return mean, functional.softmax(raw, -1) * LATENTS + 1e-6

    def forward(self, *views: Tensor) -> Tensor:
        loss = views[0].new_zeros(())
        for which, x in enumerate(views):
            mean, std = self.posterior(which, x)
            z = sample(mean, std)
            errors = [squared(vae["dec"](z), view) for vae, view in zip(self.vaes, views, strict=True)]
            loss = loss + sum(errors) + kl_std(mean, std)
        return loss


def _mvae_loss(model: Mvae, batch: tuple[Tensor, Tensor]) -> Tensor:
    image, text, mean, logvar = model(*batch)
    return squared(image, batch[0]) + squared(text, batch[1]) + kl_logvar(mean, logvar)


def _mvae_truth(model: Mvae, batch: tuple[Tensor, Tensor]) -> Posterior:
    mean, logvar = model.infer(*batch)
    return Posterior(mean, logvar.exp(), "the product")


def _mmvae_truth(model: Mmvae, batch: tuple[Tensor, Tensor]) -> list[Posterior]:
    sides = [model.posterior(which, x) for which, x in enumerate(batch)]
    return [Posterior(mean, std**2, f"modality {which}") for which, (mean, std) in enumerate(sides)]


STRUCTURES = (
    Structure(
        "mvae", "multimodal", "experts gives (μ, log σ²) of the product", seeded(Mvae), two_views, _mvae_truth,
        _mvae_loss,
    ),
    Structure(
        "mmvae", "multimodal", "vaes.*.enc.fc_mu gives μ, softmax of fc_logvar times D is σ", seeded(Mmvae),
        two_views, _mmvae_truth, lambda model, batch: model(*batch),
    ),
)  # fmt: skip
