"""Transformers: a summary token, distribution tokens, and a set of latent tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...blocks import elbo, kl_logvar, sample, seeded, squared
from ...data import ragged, sequences
from ...structure import Posterior, Structure

LATENTS, MODEL, WIDTH = 6, 24, 6


def _encoder(batch_first: bool = True) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(MODEL, 2, 48, dropout=0.0, batch_first=batch_first)
    return nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)


def _decoder(batch_first: bool = True) -> nn.TransformerDecoder:
    return nn.TransformerDecoder(nn.TransformerDecoderLayer(MODEL, 2, 48, dropout=0.0, batch_first=batch_first), 1)


class Act(nn.Module):
    """ACT: a CLS token through the encoder, latent_proj of width 2 D in halves, latent_out_proj to the decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_embed, self.query_embed = nn.Embedding(1, MODEL), nn.Embedding(10, MODEL)
        self.encoder_action_proj, self.encoder = nn.Linear(WIDTH, MODEL), _encoder(False)
        self.latent_proj, self.latent_out_proj = nn.Linear(MODEL, 2 * LATENTS), nn.Linear(LATENTS, MODEL)
        self.transformer, self.action_head = _decoder(False), nn.Linear(MODEL, WIDTH)

    def encode(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        cls = self.cls_embed.weight.unsqueeze(1).expand(-1, len(actions), -1)
        steps = self.query_embed.weight.unsqueeze(1) + self.encoder_action_proj(actions).transpose(0, 1)
        info = self.latent_proj(self.encoder(torch.cat([cls, steps]))[0])
        return info[:, :LATENTS], info[:, LATENTS:]

    def forward(self, actions: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        mean, logvar = self.encode(actions)
        memory = self.latent_out_proj(sample(mean, (logvar / 2).exp())).unsqueeze(0)
        queries = self.query_embed.weight.unsqueeze(1).expand(-1, len(actions), -1)
        return self.action_head(self.transformer(queries, memory)).transpose(0, 1), (mean, logvar)


class ActorEncoder(nn.Module):
    """ACTOR and TEMOS: two tokens before the frames; their outputs are μ and log σ²; time first, padded frames."""

    def __init__(self) -> None:
        super().__init__()
        self.mu_token, self.sigma_token = (nn.Parameter(torch.randn(MODEL)) for _ in range(2))
        self.skel_embedding, self.seq_trans_encoder = nn.Linear(WIDTH, MODEL), _encoder(False)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        frames = self.skel_embedding(x).transpose(0, 1)
        both = torch.stack([self.mu_token, self.sigma_token]).unsqueeze(1).expand(-1, len(x), -1)
        padded = torch.cat([torch.zeros(len(x), 2, dtype=torch.bool), ~mask], 1)
        final = self.seq_trans_encoder(torch.cat([both, frames]), src_key_padding_mask=padded)
        return final[0], final[1]


class Actor(nn.Module):
    """The VAE with distribution tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder, self.finallayer = ActorEncoder(), _decoder(False), nn.Linear(MODEL, WIDTH)
        self.times = nn.Parameter(0.3 * torch.randn(24, 1, MODEL))

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mask = torch.arange(x.shape[1]) < lengths.view(-1, 1)
        mean, logvar = self.encoder(x, mask)
        z = sample(mean, (0.5 * logvar).exp()).unsqueeze(0)
        frames = self.decoder(self.times[: x.shape[1]].expand(-1, len(x), -1), z)
        return self.finallayer(frames).transpose(0, 1), mean, logvar, mask


class LatentSet(nn.Module):
    """Shape autoencoders: four learnt queries attend to the input; mean_fc and logvar_fc (n, M, D), batch first."""

    def __init__(self) -> None:
        super().__init__()
        self.point_embed, self.latents = nn.Linear(WIDTH, MODEL), nn.Parameter(torch.randn(4, MODEL))
        self.cross_attend = nn.MultiheadAttention(MODEL, 2, batch_first=True)
        self.mean_fc, self.logvar_fc, self.proj = nn.Linear(MODEL, 5), nn.Linear(MODEL, 5), nn.Linear(5, MODEL)
        self.layers, self.times, self.to_outputs = (
            _decoder(),
            nn.Parameter(torch.randn(10, MODEL)),
            nn.Linear(MODEL, WIDTH),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        points = self.point_embed(x) + self.times
        h = self.cross_attend(self.latents.expand(len(x), -1, -1), points, points)[0]
        return self.mean_fc(h), self.logvar_fc(h)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(x)
        memory = self.proj(sample(mean, (0.5 * logvar).exp()))
        return self.to_outputs(self.layers(self.times.expand(len(x), -1, -1), memory)), mean, logvar


def _act_loss(model: Act, x: Tensor) -> Tensor:
    output, (mean, logvar) = model(x)
    return elbo(output, x, mean, logvar)


def _actor_loss(model: Actor, batch: tuple[Tensor, Tensor]) -> Tensor:
    output, mean, logvar, mask = model(*batch)
    return squared(output * mask.unsqueeze(2), batch[0]) + kl_logvar(mean, logvar)


def _set_loss(model: LatentSet, x: Tensor) -> Tensor:
    output, mean, logvar = model(x)
    return elbo(output, x, mean, logvar)


def _truth(model: Any, x: Tensor) -> Posterior:
    mean, logvar = model.encode(x)
    return Posterior(mean, logvar.exp())


def _actor_truth(model: Actor, batch: tuple[Tensor, Tensor]) -> Posterior:
    x, lengths = batch
    mean, logvar = model.encoder(x, torch.arange(x.shape[1]) < lengths.view(-1, 1))
    return Posterior(mean, logvar.exp())


STRUCTURES = (
    Structure(
        "act", "tokens", "latent_proj of the CLS token in halves: μ, log σ²", seeded(Act), sequences, _truth,
        _act_loss,
    ),
    Structure(
        "actor_tokens", "tokens", "tokens 0 and 1 of encoder.seq_trans_encoder (T + 2, n, D): μ, log σ²",
        seeded(Actor), ragged, _actor_truth, _actor_loss,
    ),
    Structure(
        "latent_set", "tokens", "mean_fc and logvar_fc (n, 4, 5)", seeded(LatentSet), sequences, _truth, _set_loss,
    ),
)  # fmt: skip
