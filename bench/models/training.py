"""A model in training, and everything that can be compared of two trainings."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from .structure import Structure

SEED = 7


class Run:
    """A model in training."""

    def __init__(self, structure: Structure) -> None:
        torch.compiler.reset()  # code that another run has compiled takes no hooks
        self.structure, self.model = structure, structure.build(SEED)
        self.model.train()
        self.optimisers = structure.optimisers(self.model)
        self.batches = structure.batches(SEED)
        torch.manual_seed(SEED)
        random.seed(SEED)  # packages draw from these too
        np.random.seed(SEED)  # noqa: NPY002

    def train(self, steps: int) -> None:
        """Take some steps."""
        for _ in range(steps):
            self.structure.step(self.model, self.optimisers, next(self.batches))

    def freeze(self) -> None:
        """Keep the weights from now on: the loop goes on with rates of 0."""
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = 0.0

    def bits(self) -> dict[str, Any]:
        """Return the weights, the buffers and the state of the random numbers."""
        return {name: value.clone() for name, value in self.model.state_dict().items()} | {"rng": torch.get_rng_state()}


@contextmanager
def no_backward() -> Iterator[None]:
    """Let `backward` do nothing: frozen weights need no gradients, which take most of a step's time."""
    with patch.object(Tensor, "backward", lambda *_, **__: None):
        yield


def equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Compare two such states bit by bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name].view(-1), b[name].view(-1)) for name in a)
