"""Count data in the form that single-cell packages take."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

GENES, CELLS = 50, 64


def cells(seed: int) -> Iterator[dict[str, Tensor]]:
    """Yield counts (64, 50) of cells with three programs, with the columns that the modules look for."""
    generator = torch.Generator().manual_seed(seed)
    programs = torch.randn(3, GENES, generator=torch.Generator().manual_seed(5))
    zeros = torch.zeros(CELLS, 1, dtype=torch.long)
    while True:
        rates = (torch.randn(CELLS, 3, generator=generator) @ programs * 0.6 + 1).exp()
        label = torch.randint(3, (CELLS, 1), generator=generator).float()
        yield {"X": torch.poisson(rates, generator=generator), "batch": zeros, "labels": label}
