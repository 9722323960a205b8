"""What the tests of the whole way share: a sink that remembers, a strict monitor, a loop without an update."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

import polar_monitor
from polar_monitor import PolarMonitor, PolarMonitorWarning
from polar_monitor.evaluation import Evaluation


class Memory:
    """A sink that remembers, and fails when told to."""

    def __init__(self, failing: bool = False) -> None:
        self.records: list[Evaluation] = []
        self.failing = failing
        self.closed = 0

    def write(self, evaluation: Evaluation) -> None:
        if self.failing:
            raise OSError("no space left on device")
        self.records.append(evaluation)

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed += 1


def watched(model: nn.Module, **options: Any) -> PolarMonitor:
    options = {"every": 10, "max_overhead": 1.0, "sinks": (), "strict": True, **options}
    return polar_monitor.attach(model, **options)


def same(a: Any, b: Any) -> bool:
    """Whether two nested structures of plain data and arrays are equal, NaN to NaN."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, torch.Tensor):
        return torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)) and torch.equal(a.isnan(), b.isnan())
    return bool(a == b or (a != a and b != b))


def stepped(model: nn.Module, steps: int, forward: Any) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for step in range(steps):
        forward(step)
        optimizer.step()


@contextmanager
def warned() -> Iterator[list[str]]:
    """The monitor's warnings, as text, while they come; any other warning is an error."""
    said: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("always", PolarMonitorWarning)
        warnings.showwarning = lambda message, *_, **__: said.append(str(message))
        yield said


def left_behind(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """All that a training leaves: weights, buffers, gradients, the optimiser and the states of random numbers."""
    return {
        "parameters": dict(model.named_parameters()),
        "buffers": dict(model.named_buffers()),
        "gradients": {name: p.grad for name, p in model.named_parameters()},
        "optimiser": optimizer.state_dict(),
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002
        "python": random.getstate(),
    }
