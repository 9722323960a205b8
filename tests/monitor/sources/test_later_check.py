"""Checks of a confirmed reading later in the training."""

from __future__ import annotations

import torch
from searched import Named, hooks, steps, watched
from torch import Tensor


def floor(s: Tensor) -> Tensor:
    """Give σ with a floor that the second dimension alone comes near, once `on` is set."""
    std = (s / 2).exp()
    return torch.cat([std[:, :1], std[:, 1:2] * floor.ratio, std[:, 2:]], 1)  # type: ignore[attr-defined]


def test_one_dimension_that_fits_no_more_is_one_warning() -> None:
    torch.manual_seed(0)
    floor.ratio = 1.0  # type: ignore[attr-defined]
    model = Named(scale=floor)
    monitor = watched(model)
    assert steps(model, 60) == []
    assert "confirmed" in monitor.explain()
    floor.ratio = 1.2  # type: ignore[attr-defined]
    told = steps(model, 100)
    assert len(told) == 1
    assert "the latent does not fit the data" in told[0]
    assert "in dimension 1)" in told[0]
    assert hooks(model) == 3
