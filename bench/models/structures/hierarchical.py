"""Models with a latent at each of several levels; each level is a right answer of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import kl_between, kl_std, mlp, sample, seeded, squared
from ..data import WIDTH, images, vectors
from ..structure import Posterior, Structure

MAP, LATENTS = 3, 5


def _places(side: Tensor) -> Tensor:
    return side.flatten(2).transpose(1, 2)


class SoftClampedNormal:
    """NVAE's distribution: μ and log σ softly clamped to ±5."""

    def __init__(self, mu: Tensor, log_sigma: Tensor) -> None:
        self.mu, self.sigma = 5 * torch.tanh(mu / 5), (5 * torch.tanh(log_sigma / 5)).exp() + 1e-2


class Nvae(nn.Module):
    """NVAE: enc_sampler and dec_sampler convolutions of width 2 C; the second posterior is relative to its prior."""

    def __init__(self) -> None:
        super().__init__()
        self.pre = nn.Conv2d(1, 12, 4, 4)
        self.enc_sampler = nn.ModuleList([nn.Conv2d(12, 2 * MAP, 3, padding=1), nn.Conv2d(12, 2 * MAP, 3, padding=1)])
        self.dec_sampler = nn.ModuleList([nn.Sequential(nn.ELU(), nn.Conv2d(12, 2 * MAP, 1))])
        self.from_z, self.combine = nn.Conv2d(MAP, 12, 1), nn.Conv2d(12 + MAP, 12, 1)
        self.post = nn.ConvTranspose2d(12, 1, 4, 4)

    def levels(self, x: Tensor) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
        s = self.pre(x)
        q0 = SoftClampedNormal(*self.enc_sampler[0](functional.silu(s)).chunk(2, 1))
        h = self.from_z(sample(q0.mu, q0.sigma))
        p_mu, p_log = self.dec_sampler[0](h).chunk(2, 1)
        d_mu, d_log = self.enc_sampler[1](functional.silu(s + h)).chunk(2, 1)
        p, q1 = SoftClampedNormal(p_mu, p_log), SoftClampedNormal(p_mu + d_mu, p_log + d_log)
        divergence = kl_std(q0.mu, q0.sigma) + kl_between(q1.mu, q1.sigma, p.mu, p.sigma)
        h = functional.silu(self.combine(torch.cat([h, sample(q1.mu, q1.sigma)], 1)))
        return self.post(h), divergence, [(q0.mu, q0.sigma), (q1.mu, q1.sigma)]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.levels(x)[:2]


class TopDownBlock(nn.Module):
    """VDVAE's block: enc gives μ and log σ in halves, prior gives μ, log σ and a residual."""

    def __init__(self, width: int, zdim: int) -> None:
        super().__init__()
        self.zdim = zdim
        self.enc, self.prior = nn.Conv2d(2 * width, 2 * zdim, 1), nn.Conv2d(width, 2 * zdim + width, 1)
        self.z_proj, self.resnet = nn.Conv2d(zdim, width, 1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, activations: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        qm, qv = self.enc(torch.cat([x, activations], 1)).chunk(2, 1)
        both = self.prior(x)
        pm, pv, residual = both[:, : self.zdim], both[:, self.zdim : 2 * self.zdim], both[:, 2 * self.zdim :]
        divergence = kl_between(qm, qv.exp(), pm, pv.exp())
        x = x + residual + self.z_proj(sample(qm, qv.exp()))
        return x + self.resnet(functional.gelu(x)), divergence, (qm, qv.exp())


class Vdvae(nn.Module):
    """Three blocks: two at 4×4, one at 8×8."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleList([nn.Conv2d(1, 12, 2, 2), nn.Conv2d(12, 12, 2, 2)])
        self.bias = nn.Parameter(torch.zeros(1, 12, 4, 4))
        self.dec_blocks = nn.ModuleList(TopDownBlock(12, 3) for _ in range(3))
        self.out = nn.ConvTranspose2d(12, 1, 2, 2)

    def levels(self, x: Tensor) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
        fine = functional.gelu(self.encoder[0](x))
        coarse = functional.gelu(self.encoder[1](fine))
        h, total, posteriors = self.bias.expand(len(x), -1, -1, -1), x.new_zeros(()), []
        for i, block in enumerate(self.dec_blocks):
            if i == 2:
                h = functional.interpolate(h, scale_factor=2)
            h, divergence, posterior = block(h, fine if i == 2 else coarse)
            total = total + divergence
            posteriors.append(posterior)
        return self.out(h), total, posteriors

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.levels(x)[:2]


class Ladder(nn.Module):
    """Two vector levels, each with its mu and logvar; the lower one gets the upper one's sample."""

    def __init__(self) -> None:
        super().__init__()
        self.bottom, self.top = mlp(WIDTH, 48, 32), mlp(32, 32)
        self.top_mu, self.top_logvar = nn.Linear(32, LATENTS - 2), nn.Linear(32, LATENTS - 2)
        self.bottom_mu, self.bottom_logvar = nn.Linear(32 + LATENTS - 2, LATENTS), nn.Linear(32 + LATENTS - 2, LATENTS)
        self.prior = mlp(LATENTS - 2, 32, 2 * LATENTS)
        self.decoder = mlp(LATENTS, 48, WIDTH)

    def levels(self, x: Tensor) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
        h = functional.relu(self.bottom(x))
        above = functional.relu(self.top(h))
        mean, std = self.top_mu(above), (0.5 * self.top_logvar(above)).exp()
        z = sample(mean, std)
        both = torch.cat([h, z], 1)
        low, low_std = self.bottom_mu(both), (0.5 * self.bottom_logvar(both)).exp()
        p_mean, p_log = self.prior(z).chunk(2, 1)
        divergence = kl_std(mean, std) + kl_between(low, low_std, p_mean, p_log.exp())
        return self.decoder(sample(low, low_std)), divergence, [(mean, std), (low, low_std)]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.levels(x)[:2]


def _loss(model: Any, x: Tensor) -> Tensor:
    output, divergence = model(x)
    return squared(output, x) + divergence


def _truth(model: Any, x: Tensor) -> list[Posterior]:
    posteriors = []
    for level, (mean, std) in enumerate(model.levels(x)[2]):
        sides = (mean, std) if mean.dim() == 2 else (_places(mean), _places(std))
        posteriors.append(Posterior(sides[0], sides[1] ** 2, f"level {level}"))
    return posteriors


STRUCTURES = (
    Structure(
        "nvae", "hierarchical", "enc_sampler in halves, soft clamp of μ and log σ; level 1 is relative to its prior",
        seeded(Nvae), images, _truth, _loss,
    ),
    Structure("vdvae", "hierarchical", "dec_blocks.*.enc in halves: μ, log σ", seeded(Vdvae), images, _truth, _loss),
    Structure(
        "ladder", "hierarchical", "top_mu and top_logvar, bottom_mu and bottom_logvar", seeded(Ladder), vectors,
        _truth, _loss,
    ),
)  # fmt: skip
