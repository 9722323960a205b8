"""Recurrent VAEs over tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ...blocks import kl_logvar, sample, seeded
from ...data import PADDING, VOCABULARY, tokens
from ...structure import Posterior, Structure

LATENTS, HIDDEN, WIDTH = 6, 32, 6


class SentenceVae(nn.Module):
    """Sentence-VAE: packed GRU, hidden2mean and hidden2logv, latent2hidden; batches sorted by length inside."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN, padding_idx=PADDING)
        self.encoder_rnn = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.decoder_rnn = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.hidden2mean, self.hidden2logv = nn.Linear(HIDDEN, LATENTS), nn.Linear(HIDDEN, LATENTS)
        self.latent2hidden = nn.Linear(LATENTS, HIDDEN)
        self.outputs2vocab = nn.Linear(HIDDEN, VOCABULARY)

    def encode(self, text: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        lengths, order = lengths.sort(descending=True)
        packed = pack_padded_sequence(self.embedding(text[order]), lengths, batch_first=True)
        hidden = self.encoder_rnn(packed)[1].squeeze(0)[order.argsort()]
        return self.hidden2mean(hidden), self.hidden2logv(hidden)

    def forward(self, text: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logv = self.encode(text, lengths)
        hidden = self.latent2hidden(sample(mean, torch.exp(0.5 * logv))).unsqueeze(0)
        dropped = text * (torch.rand(text.shape) > 0.5)  # word dropout, so that the latent is used
        packed = pack_padded_sequence(self.embedding(dropped), lengths, batch_first=True, enforce_sorted=False)
        output = pad_packed_sequence(self.decoder_rnn(packed, hidden)[0], batch_first=True)[0]
        return self.outputs2vocab(output), mean, logv


class TimeFirst(nn.Module):
    """An encoder that runs time first over padded tokens (T, n) and takes the last state."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, HIDDEN)
        self.rnn, self.back = nn.LSTM(HIDDEN, HIDDEN), nn.LSTM(HIDDEN + LATENTS, HIDDEN)
        self.to_mu, self.to_logvar = nn.Linear(HIDDEN, LATENTS), nn.Linear(HIDDEN, LATENTS)
        self.out = nn.Linear(HIDDEN, VOCABULARY)

    def encode(self, text: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        states = self.rnn(self.embed(text.T))[0]
        # heads on every step, as in teacher-forced code that picks the last one afterwards
        last = lengths - 1, torch.arange(len(lengths))
        return self.to_mu(states)[last], self.to_logvar(states)[last]

    def forward(self, text: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encode(text, lengths)
        z = sample(mean, (0.5 * logvar).exp()).expand(text.shape[1], -1, -1)
        shifted = functional.pad(text, (1, 0))[:, :-1].T
        return self.out(self.back(torch.cat([self.embed(shifted), z], -1))[0]).transpose(0, 1), mean, logvar


def _text_loss(model: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
    logits, mean, logvar = model(*batch)
    errors = functional.cross_entropy(logits.flatten(0, 1), batch[0].flatten(), ignore_index=PADDING, reduction="sum")
    return errors / len(mean) + 0.2 * kl_logvar(mean, logvar)


def _text_truth(model: Any, batch: tuple[Tensor, Tensor]) -> Posterior:
    mean, logvar = model.encode(*batch)
    return Posterior(mean, logvar.exp())


STRUCTURES = (
    Structure(
        "sentence_vae", "sequences", "hidden2mean gives μ, hidden2logv log σ²", seeded(SentenceVae), tokens,
        _text_truth, _text_loss,
    ),
    Structure(
        "last_state", "sequences", "the last valid step of to_mu and to_logvar (T, n, D)", seeded(TimeFirst), tokens,
        _text_truth, _text_loss,
    ),
)  # fmt: skip
