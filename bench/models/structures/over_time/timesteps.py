"""Models that are called, or call their heads, once a time step: the rows of one sequence depend on each other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...blocks import kl_between, mlp, sample, seeded, squared
from ...data import sequences
from ...structure import Posterior, Structure

LATENTS, HIDDEN, WIDTH = 5, 32, 6


class Vrnn(nn.Module):
    """VRNN: φ networks, a prior and an encoder with mean and softplus std, a GRU cell; all steps in one forward."""

    def __init__(self) -> None:
        super().__init__()
        self.phi_x, self.phi_z = mlp(WIDTH, HIDDEN, HIDDEN), mlp(LATENTS, HIDDEN)
        self.enc, self.prior = mlp(2 * HIDDEN, HIDDEN), mlp(HIDDEN, HIDDEN)
        self.enc_mean, self.enc_std = (
            nn.Linear(HIDDEN, LATENTS),
            nn.Sequential(nn.Linear(HIDDEN, LATENTS), nn.Softplus()),
        )
        self.prior_mean, self.prior_std = (
            nn.Linear(HIDDEN, LATENTS),
            nn.Sequential(nn.Linear(HIDDEN, LATENTS), nn.Softplus()),
        )
        self.dec_mean = mlp(2 * HIDDEN, HIDDEN, WIDTH)
        self.rnn = nn.GRUCell(2 * HIDDEN, HIDDEN)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        h, errors, divergence, means, stds = x.new_zeros(len(x), HIDDEN), 0.0, 0.0, [], []
        for x_t in x.unbind(1):
            seen, before = functional.relu(self.phi_x(x_t)), functional.relu(self.prior(h))
            code = functional.relu(self.enc(torch.cat([seen, h], 1)))
            mean, std = self.enc_mean(code), self.enc_std(code) + 1e-4
            divergence = divergence + kl_between(mean, std, self.prior_mean(before), self.prior_std(before) + 1e-4)
            z = functional.relu(self.phi_z(sample(mean, std)))
            errors = errors + squared(self.dec_mean(torch.cat([z, h], 1)), x_t)
            h = self.rnn(torch.cat([seen, z], 1), h)
            means.append(mean)
            stds.append(std)
        return torch.as_tensor(errors), torch.as_tensor(divergence), torch.stack(means, 1), torch.stack(stds, 1)


class Rssm(nn.Module):
    """Dreamer's RSSM: layers of width 2 D in chunks, σ = softplus + 0.1; `observe` is a loop of the trainer's."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = mlp(WIDTH, HIDDEN, HIDDEN)
        self.img_in, self.cell = nn.Linear(LATENTS, HIDDEN), nn.GRUCell(HIDDEN, HIDDEN)
        self.img_out, self.obs_out = mlp(HIDDEN, HIDDEN, 2 * LATENTS), mlp(2 * HIDDEN, HIDDEN, 2 * LATENTS)
        self.reconstruct = mlp(HIDDEN + LATENTS, HIDDEN, WIDTH)

    @staticmethod
    def stats(both: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = both.chunk(2, -1)
        return mean, functional.softplus(raw) + 0.1

    def forward(self, deter: Tensor, stoch: Tensor, x_t: Tensor) -> tuple[Tensor, ...]:
        deter = self.cell(functional.elu(self.img_in(stoch)), deter)
        prior = self.stats(self.img_out(deter))
        mean, std = self.stats(self.obs_out(torch.cat([deter, self.embed(x_t)], -1)))
        stoch = sample(mean, std)
        return deter, stoch, mean, std, *prior, self.reconstruct(torch.cat([deter, stoch], -1))


def _observe(model: Rssm, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Run the steps; return the loss and the stacked posteriors."""
    deter, stoch, loss, means, stds = x.new_zeros(len(x), HIDDEN), x.new_zeros(len(x), LATENTS), x.new_zeros(()), [], []
    for x_t in x.unbind(1):
        deter, stoch, mean, std, prior_mean, prior_std, output = model(deter, stoch, x_t)
        loss = loss + squared(output, x_t) + kl_between(mean, std, prior_mean, prior_std)
        means.append(mean)
        stds.append(std)
    return loss, torch.stack(means, 1), torch.stack(stds, 1)


class GaussianLstm(nn.Module):
    """SVG's recurrent normal distribution: embed, cell, mu_net and logvar_net; keeps its state between calls."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm = nn.Linear(HIDDEN, HIDDEN), nn.LSTMCell(HIDDEN, HIDDEN)
        self.mu_net, self.logvar_net = nn.Linear(HIDDEN, LATENTS), nn.Linear(HIDDEN, LATENTS)
        self.hidden: Any = None

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.hidden = self.lstm(self.embed(h), self.hidden)
        mean, logvar = self.mu_net(self.hidden[0]), self.logvar_net(self.hidden[0])
        return sample(mean, (0.5 * logvar).exp()), mean, logvar


class Svg(nn.Module):
    """The networks of SVG-LP, which its training script calls step by step; no forward of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = mlp(WIDTH, HIDDEN, HIDDEN)
        self.posterior, self.prior = GaussianLstm(), GaussianLstm()
        self.frame_predictor, self.decoder = nn.LSTMCell(HIDDEN + LATENTS, HIDDEN), mlp(HIDDEN, HIDDEN, WIDTH)


def _svg_step(model: Svg, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    model.posterior.hidden = model.prior.hidden = state = None
    loss, means, stds = x.new_zeros(()), [], []
    for before, after in zip(x.unbind(1), x.unbind(1)[1:], strict=False):
        h, target = model.encoder(before), model.encoder(after)
        z, mean, logvar = model.posterior(target)
        _, prior_mean, prior_logvar = model.prior(h)
        state = model.frame_predictor(torch.cat([h, z], 1), state)
        std, prior_std = (0.5 * logvar).exp(), (0.5 * prior_logvar).exp()
        loss = loss + squared(model.decoder(state[0]), after) + kl_between(mean, std, prior_mean, prior_std)
        means.append(mean)
        stds.append(std)
    model.posterior.hidden = model.prior.hidden = None
    return loss, torch.stack(means, 1), torch.stack(stds, 1)


def _posterior(mean: Tensor, std: Tensor) -> Posterior:
    return Posterior(mean, std**2)


def _vrnn_loss(model: Vrnn, x: Tensor) -> Tensor:
    errors, divergence, _, _ = model(x)
    return errors + divergence


STRUCTURES = (
    Structure(
        "vrnn", "timesteps", "enc_mean gives μ, enc_std σ, ten calls a forward", seeded(Vrnn), sequences,
        lambda model, x: _posterior(*model(x)[2:]), _vrnn_loss,
    ),
    Structure(
        "rssm", "timesteps", "obs_out in halves: μ, softplus + 0.1 is σ; a forward a time step", seeded(Rssm),
        sequences,
        lambda model, x: _posterior(*_observe(model, x)[1:]), lambda model, x: _observe(model, x)[0],
    ),
    Structure(
        "svg", "timesteps", "posterior.mu_net and posterior.logvar_net, nine calls a step", seeded(Svg), sequences,
        lambda model, x: _posterior(*_svg_step(model, x)[1:]), lambda model, x: _svg_step(model, x)[0],
    ),
)  # fmt: skip
