"""Names that the code of the pages uses: a model in training, arrays of its latents, and a run on the disk."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import polar_monitor
from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae


class Heads(nn.Module):
    """Encoder whose output carries both heads."""

    def __init__(self, inputs: int, latents: int) -> None:
        super().__init__()
        self.fc_mu, self.fc_var = nn.Linear(inputs, latents), nn.Linear(inputs, latents)

    def forward(self, x: Any, src_key_padding_mask: Any = None) -> tuple[Any, Any]:
        return self.fc_mu(x), self.fc_var(x)


class Masked(nn.Module):
    """Module with an argument that is a mask."""

    def forward(self, x: Any, x_mask: Any) -> Any:
        return x * x_mask[..., None]


class EveryName(nn.Module):
    """Model with every module that a page names, and the arguments of a mask."""

    def __init__(self, inputs: int, latents: int = 4) -> None:
        super().__init__()
        self.encoder, self.enc_q = Heads(inputs, latents), Masked()
        self.mu, self.log_sigma = nn.Linear(inputs, latents), nn.Linear(inputs, latents)
        self.decoder = nn.Linear(latents, inputs)

    def encode(self, x: Any) -> tuple[Any, Any]:
        return self.encoder(x)

    def forward(self, x: Any, mask: Any = None, lengths: Any = None) -> Any:
        mean, logvar = self.encoder(x)
        z = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
        return self.decoder(z), mean, logvar, torch.zeros_like(mean), torch.zeros_like(mean)


class Autoencoder(nn.Module):
    """Autoencoder of four dimensions."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(inputs, 4), nn.Linear(4, inputs)

    def forward(self, x: Any) -> Any:
        return self.decoder(self.encoder(x))


@functools.lru_cache(maxsize=1)
def sprites() -> Any:
    """Return images and their factors."""
    return data.sprites(1024)


def of_training(folder: Path) -> dict[str, Any]:
    """Return the names of a short training, with its run in `runs/demo` and `runs/one` of a folder."""
    torch.manual_seed(0)
    images, factors = sprites()
    model = BetaVae(images.shape[1], latents=6, hidden=32)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loader = images.split(128)
    monitor = polar_monitor.attach(model, every=4, log_dir=folder / "runs" / "one", max_overhead=1.0)
    for batch in loader:
        loss = model.loss(batch, beta=4.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    monitor.evaluate()
    shutil.copytree(folder / "runs" / "one", folder / "runs" / "demo")
    with torch.no_grad():
        mean, logvar = (side.numpy() for side in model.encode(images))

    def nats_of_each_row(output: Any, target: Any) -> Any:
        return nn.functional.binary_cross_entropy_with_logits(output, target, reduction="none").sum(-1)

    return {
        "torch": torch, "np": np, "polar_monitor": polar_monitor, "BetaVae": BetaVae, "images": images, "model": model,
        "optimizer": optimizer, "scheduler": torch.optim.lr_scheduler.ConstantLR(optimizer), "loader": loader,
        "batch": images[:256], "validation_images": images[:512], "monitor": monitor, "mean": mean, "logvar": logvar,
        "labels": (factors[:, 0] > np.median(factors[:, 0])).astype(int)[:500], "beta": 4.0, "learning_rate": 1e-3,
        "reconstruction_loss": loss.detach(), "decoder": model.decoder, "codes": torch.from_numpy(mean), "x": images,
        "nats_of_each_row": nats_of_each_row,
        "nats_of_each_input": lambda output, batch: nats_of_each_row(output[0], batch),
        "prior_mean": np.zeros(mean.shape), "prior_logvar": torch.zeros(mean.shape),
    }  # fmt: skip
