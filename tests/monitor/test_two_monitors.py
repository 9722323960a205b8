"""Several monitors in one process, one optimiser for all their models."""

from __future__ import annotations

import torch
from models import Vae
from watching import Memory, watched


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
