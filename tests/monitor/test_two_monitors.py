"""Several monitors in one process, one optimiser for all their models."""

from __future__ import annotations

import pytest
import torch
from models import Vae
from torch import nn
from watching import Memory, watched

from polar_monitor import PolarMonitorWarning


def test_a_monitor_that_ends_within_a_step_breaks_neither_the_step_nor_the_others() -> None:
    first, second, sink = Vae(), Vae(), Memory()
    ending = watched(first, strict=False, every=4, on_alert=lambda alert: ending.detach())
    watched(second, sinks=(sink,), every=4)
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], 0.0)
    for _ in range(20):
        first(torch.full((64, 12), float("nan")))
        second(torch.randn(64, 12))
        optimizer.step()
    assert not ending.attached
    assert len(sink.records) == 5


def test_two_latents_of_a_model_are_both_watched_as_the_warning_says() -> None:
    model = nn.ModuleDict({"image": Vae(), "text": Vae()})

    def attach(part: str, **options: str) -> object:
        return watched(model, mean=f"{part}.fc_mu", logvar=f"{part}.fc_logvar", **options)

    first = attach("image")
    with pytest.warns(PolarMonitorWarning, match="the new monitor replaces the old one.*or pass name=… to keep both"):
        second = attach("text")
    third = attach("image", name="image")
    assert [monitor.attached for monitor in (first, second, third)] == [False, True, True]  # type: ignore[attr-defined]
