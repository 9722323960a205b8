"""Several encoders or a condition: products and mixtures of experts, conditional priors, a classified VAE."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import kl_between, kl_logvar, kl_std, mlp, sample, seeded, squared
from ..data import WIDTH, labelled, two_views
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


class Ivae(nn.Module):
    """iVAE: the posterior sees the input and u; the prior's log-variance depends on u."""

    def __init__(self) -> None:
        super().__init__()
        self.logl, self.f = mlp(4, 32, LATENTS), mlp(LATENTS, 48, WIDTH)
        self.g, self.logv = mlp(WIDTH + 4, 48, LATENTS), mlp(WIDTH + 4, 48, LATENTS)

    def encoder_params(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([x, u], 1)
        return self.g(both), self.logv(both).exp()

    def forward(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, var = self.encoder_params(x, u)
        return self.f(sample(mean, var.sqrt())), mean, var, self.logl(u).exp()


class Cvae(nn.Module):
    """A conditional VAE whose prior network gives μ and log σ² too: recognition and prior heads have like names."""

    def __init__(self) -> None:
        super().__init__()
        self.recognition, self.prior_net = mlp(WIDTH + 4, 48, 48), mlp(4, 32, 32)
        self.recognition_mu, self.recognition_logvar = nn.Linear(48, LATENTS), nn.Linear(48, LATENTS)
        self.prior_mu, self.prior_logvar = nn.Linear(32, LATENTS), nn.Linear(32, LATENTS)
        self.generation = mlp(LATENTS + 4, 48, WIDTH)

    def recognise(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        h = functional.relu(self.recognition(torch.cat([x, u], 1)))
        return self.recognition_mu(h), self.recognition_logvar(h)

    def forward(self, x: Tensor, u: Tensor) -> Tensor:
        (mean, logvar), h = self.recognise(x, u), functional.relu(self.prior_net(u))
        std, prior_std = (0.5 * logvar).exp(), (0.5 * self.prior_logvar(h)).exp()
        output = self.generation(torch.cat([sample(mean, std), u], 1))
        return squared(output, x) + kl_between(mean, std, self.prior_mu(h), prior_std)


def _one_hot(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return batch[0], functional.one_hot(batch[1], 4).float()


def _mvae_loss(model: Mvae, batch: tuple[Tensor, Tensor]) -> Tensor:
    image, text, mean, logvar = model(*batch)
    return squared(image, batch[0]) + squared(text, batch[1]) + kl_logvar(mean, logvar)


def _mvae_truth(model: Mvae, batch: tuple[Tensor, Tensor]) -> Posterior:
    mean, logvar = model.infer(*batch)
    return Posterior(mean, logvar.exp(), "the product")


def _mmvae_truth(model: Mmvae, batch: tuple[Tensor, Tensor]) -> list[Posterior]:
    sides = [model.posterior(which, x) for which, x in enumerate(batch)]
    return [Posterior(mean, std**2, f"modality {which}") for which, (mean, std) in enumerate(sides)]


def _ivae_loss(model: Ivae, batch: tuple[Tensor, Tensor]) -> Tensor:
    output, mean, var, prior_var = model(*_one_hot(batch))
    divergence = kl_between(mean, var.sqrt(), torch.zeros_like(mean), prior_var.sqrt())
    return squared(output, batch[0]) + divergence


def _cvae_truth(model: Any, batch: tuple[Tensor, Tensor]) -> Posterior:
    mean, logvar = model.recognise(*_one_hot(batch))
    return Posterior(mean, logvar.exp())


STRUCTURES = (
    Structure(
        "mvae", "multimodal", "experts gives (μ, log σ²) of the product", seeded(Mvae), two_views, _mvae_truth,
        _mvae_loss,
    ),
    Structure(
        "mmvae", "multimodal", "vaes.*.enc.fc_mu gives μ, softmax of fc_logvar times D is σ", seeded(Mmvae),
        two_views, _mmvae_truth, lambda model, batch: model(*batch),
    ),
    Structure(
        "ivae", "multimodal", "g gives μ, logv log σ²; the prior depends on u", seeded(Ivae), labelled,
        lambda model, batch: Posterior(*model.encoder_params(*_one_hot(batch))), _ivae_loss,
    ),
    Structure(
        "cvae", "multimodal", "recognition_mu, recognition_logvar; prior_mu and prior_logvar are no posterior",
        seeded(Cvae), labelled, _cvae_truth, lambda model, batch: model(*_one_hot(batch)),
    ),
)  # fmt: skip
