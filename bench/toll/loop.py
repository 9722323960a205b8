"""One training that goes on and on, and the time of its steps."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

After = Callable[[Tensor], bool]
"""What the loop calls after a step, with the mean representation (n, D); whether the step counts as an event."""


def nothing(mean: Tensor) -> bool:
    """A step that nobody watches."""
    return False


class Loop:
    """A plain loop over fixed batches of the shape given, timed by the clock given."""

    def __init__(self, model: nn.Module, batch: tuple[int, ...], clock: Callable[[], float] = perf_counter) -> None:
        self.model = model
        self.clock = clock
        self.optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        self.batches: list[Tensor] = list(torch.rand(32, *batch))

    def _step(self, x: Tensor) -> Tensor:
        mean: Tensor
        logits, mean, logvar = self.model(x)
        reconstruction = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(1).mean()
        self.optimizer.zero_grad()
        (reconstruction + 0.1 * kl).backward()
        self.optimizer.step()
        return mean

    def run(self, steps: int, after: After = nothing) -> tuple[float, list[float]]:
        """Mean seconds of a step without an event, and the seconds of each that has one."""
        ordinary: list[float] = []
        events: list[float] = []
        clock = self.clock
        for step in range(steps):
            begin = clock()
            mean = self._step(self.batches[step % 32])
            event = after(mean)
            (events if event else ordinary).append(clock() - begin)
        return float(np.mean(ordinary)), events
