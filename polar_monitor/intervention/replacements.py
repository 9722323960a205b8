"""Codes in which one dimension is replaced: by its mean, by a draw of its marginal, or by that of another row.

All random numbers come from a generator of our own. The other row is the next one in one random cycle through all rows,
so that each row lends its numbers once, and neighbours in the cycle are the only rows that depend on each other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

WORDS = {
    "marginal": "a draw of its marginal: a fresh posterior sample of another row",
    "row": "the code of another row",
    "mean": "its mean over the rows",
}
"""Replacements by name, the one that the table is about first."""


class Latent(NamedTuple):
    """The code that the decoder takes, and the posterior that it is a sample of."""

    code: Tensor
    letters: str
    """Letters of the axes of these tensors (`arrays.layout`)."""
    mean: Tensor | None = None
    """Posterior mean; None if the code was given without one."""
    sigma: Tensor | None = None
    """Posterior standard deviation; None without one."""

    @property
    def rows(self) -> int:
        """Number of inputs."""
        return int(self.code.shape[self.letters.index("n")])

    @property
    def dimensions(self) -> int:
        """Number of dimensions."""
        return int(self.code.shape[self.letters.index("d")]) if "d" in self.letters else 1

    def column(self, tensor: Tensor, dimension: int) -> Tensor:
        """Return one dimension of a tensor of the code's shape, in its own memory."""
        return tensor.select(self.letters.index("d"), dimension) if "d" in self.letters else tensor


class Replacements:
    """Makes changed codes of one latent; `seed` fixes the order of the rows and the draws."""

    def __init__(self, latent: Latent, seed: int = 0) -> None:
        self._latent, self._generator = latent, torch.Generator().manual_seed(seed)
        self._axis = latent.letters.index("n")
        order = torch.randperm(latent.rows, generator=self._generator)
        self.order: NDArray[np.int64] = order.numpy()
        """Rows in the order of the cycle: each gets its replacement from the next, the last one from the first."""
        partner = torch.empty_like(order)
        partner[order] = order.roll(-1)
        self._partner = partner.to(latent.code.device)

    def replaced(self, how: str, dimension: int) -> Tensor:
        """Return the code with one dimension replaced."""
        changed = self._latent.code.clone()
        column = self._latent.column(changed, dimension)
        column.copy_(self._latent.column(self._new(how, dimension), dimension))
        return changed

    def exchanged(self) -> Tensor:
        """Return the code with all of its dimensions from another row."""
        return self._of_another(self._latent.code)

    def shifted(self, dimension: int, deviations: float) -> Tensor:
        """Return the code with one dimension moved by so many of the encoder's standard deviations."""
        latent = self._latent
        assert latent.sigma is not None
        changed = latent.code.clone()
        latent.column(changed, dimension).add_(latent.column(latent.sigma, dimension), alpha=deviations)
        return changed

    def _new(self, how: str, dimension: int) -> Tensor:
        latent = self._latent
        if how == "mean":
            return latent.code.mean(self._axis, keepdim=True).expand_as(latent.code)
        if how == "row" or latent.sigma is None or latent.mean is None:
            return self._of_another(latent.code)
        noise = torch.randn(latent.code.shape, generator=self._generator).to(latent.code)
        return self._of_another(latent.mean + latent.sigma * noise)

    def _of_another(self, tensor: Tensor) -> Tensor:
        return tensor.index_select(self._axis, self._partner)


def sampled(mean: Tensor, sigma: Tensor, seed: int = 0) -> Tensor:
    """Return a sample of the posterior, from a generator of our own."""
    generator = torch.Generator().manual_seed(seed)
    return mean + sigma * torch.randn(mean.shape, generator=generator).to(mean)
