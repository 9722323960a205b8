"""A plain training loop for any of the demo's models."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .protocol import LatentModel


def train(
    model: LatentModel,
    x: Tensor,
    *,
    weight: float,
    steps: int,
    u: Tensor | None = None,
    rate: float = 1e-3,
    batch: int = 128,
) -> None:
    """Minimise `model.loss` with Adam on random batches of x (n, inputs) and u (n, U), in place.

    What is drawn comes from torch's global generator: seed it before, and the same weights come out. The learning rate
    falls to a tenth in the last fifth of the steps, so that what is measured afterwards is near an optimum.
    """
    assert isinstance(model, nn.Module)
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [int(0.8 * steps)], gamma=0.1)
    for _ in range(steps):
        rows = torch.randint(len(x), (batch,))
        loss = model.loss(x[rows], weight, None if u is None else u[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
