"""What happens at a few places of a map, or of a sequence, is seen as what it is there, and no more."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from watching import stepped, watched

from polar_monitor import classify

DRAW = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("side", [8, 16, 32])
def test_a_dead_left_column_does_not_stand_for_the_map(side: int) -> None:
    mean, logvar = torch.randn(600, 1, side, side, generator=DRAW) * 3, torch.full((600, 1, side, side), -4.0)
    mean[..., 0], logvar[..., 0] = 0.0, 0.0
    snapshot = classify(mean, logvar=logvar).snapshot
    assert snapshot is not None
    kl = 0.5 * (9 + np.exp(-4) - 1 + 4) * (1 - 1 / side)
    np.testing.assert_allclose(snapshot.kl, kl, rtol=0.1)
    assert snapshot.independent == 600


class Maps(nn.Module):
    """A model whose latent is a map with a dead column."""

    def __init__(self) -> None:
        super().__init__()
        self.mu, self.logvar = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)

    def forward(self, mean: torch.Tensor, logvar: torch.Tensor) -> None:
        """Give both sides as they are."""
        self.mu(mean), self.logvar(logvar)


def test_the_same_through_hooks() -> None:
    model = Maps()
    for layer in (model.mu, model.logvar):
        nn.init.ones_(layer.weight), nn.init.zeros_(layer.bias)
    monitor = watched(model, every=16)

    def forward(step: int) -> None:
        mean, logvar = torch.randn(64, 1, 16, 16, generator=DRAW) * 3, torch.full((64, 1, 16, 16), -4.0)
        mean[..., 0], logvar[..., 0] = 0.0, 0.0
        model(mean, logvar)

    stepped(model, 16, forward)
    snapshot, regime = monitor.snapshot(), monitor.regime()
    assert snapshot is not None and regime is not None
    assert (snapshot.independent, str(regime.labels[0])) == (1024, "active")
    np.testing.assert_allclose(snapshot.kl, 0.5 * (9 + np.exp(-4) - 1 + 4) * 15 / 16, rtol=0.1)
