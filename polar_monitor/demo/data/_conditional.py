"""Images with a factor that only some of them have."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def conditional(n: int, share: float = 0.5, seed: int = 0) -> tuple[Tensor, NDArray[np.float64]]:
    """Draw n images (n, 256) of a disc at the left and, at the right, a second disc (a `share` of them) or a panel.

    Factors: height of the first disc, 1 if there is a second disc, its height (0 if there is none). A panel has no
    height, so this factor varies for part of the inputs only: the latent dimension that codes it has to be mixed.
    """
    rng = np.random.default_rng(seed)
    first, second = rng.uniform(-0.7, 0.7, n), rng.uniform(-0.7, 0.7, n)
    there = rng.random(n) < share
    axis = ((np.arange(16) + 0.5) / 8 - 1).astype(np.float32)
    px, py = (grid.ravel()[None] for grid in np.meshgrid(axis, axis))

    def soft(distance: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(np.clip(0.5 - distance * 8, 0.0, 1.0), np.float32)

    def disc(x: float, y: NDArray[np.float64]) -> NDArray[np.float32]:
        return soft(np.hypot(px - np.float32(x), py - y[:, None].astype(np.float32)) - np.float32(0.3))

    right = np.where(there[:, None], disc(0.5, second), soft(np.abs(px - np.float32(0.5)) - np.float32(0.45)))
    factors = np.stack([first, there.astype(np.float64), np.where(there, second, 0.0)], axis=1)
    return torch.from_numpy(np.maximum(disc(-0.5, first), right)), factors
