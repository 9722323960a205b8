"""Data for the demo: sprites and conditional sprites drawn here, and handwritten digits that scikit-learn ships.

Images are float32 in [0, 1], flattened to (n, pixels); factors are float64 (n, f).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SIZE = 32
"""Pixels of a sprite's side."""


def sprites(n: int, seed: int = 0) -> tuple[Tensor, NDArray[np.float64]]:
    """n sprites (n, 1024) and their factors: shape (0 square, 1 ellipse, 2 triangle), scale, angle, x, y.

    Drawn by signed distance, with edges one pixel soft, from five independent factors: a VAE with more dimensions than
    five has some to spare.
    """
    rng = np.random.default_rng(seed)
    shape = rng.integers(0, 3, n)
    scale = rng.uniform(0.5, 1.0, n)
    angle = rng.uniform(0, 0.5 * math.pi, n)
    x, y = rng.uniform(-0.5, 0.5, n), rng.uniform(-0.5, 0.5, n)
    images = np.concatenate(
        [
            _draw(*part)
            for part in zip(*(np.array_split(f, -(-n // 1024)) for f in (shape, scale, angle, x, y)), strict=True)
        ]
    )
    return torch.from_numpy(images), np.stack([shape.astype(float), scale, angle, x, y], axis=1)


def _draw(
    shape: NDArray[np.int64],
    scale: NDArray[np.float64],
    angle: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> NDArray[np.float32]:
    axis = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE * 2 - 1
    px, py = np.meshgrid(axis, axis)
    dx = px.ravel()[None] - x[:, None].astype(np.float32)
    dy = py.ravel()[None] - y[:, None].astype(np.float32)
    c, s = np.cos(angle)[:, None].astype(np.float32), np.sin(angle)[:, None].astype(np.float32)
    u, v = c * dx + s * dy, c * dy - s * dx
    r = (0.4 * scale)[:, None].astype(np.float32)
    square = np.maximum(np.abs(u), np.abs(v)) - 0.8 * r
    ellipse = np.sqrt(u * u + 4 * v * v) - r
    triangle = np.maximum(0.866 * np.abs(u) + 0.5 * v, -v) - 0.55 * r
    kind = shape[:, None]
    distance = np.where(kind == 0, square, np.where(kind == 1, ellipse, triangle))
    return np.clip(0.5 - distance * (SIZE / 2), 0.0, 1.0).astype(np.float32)


def digits() -> tuple[Tensor, NDArray[np.float64]]:
    """The 1797 handwritten digits (n, 64) of scikit-learn and their labels (n, 1).

    Raises ImportError, which names the extra to install, without scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as missing:
        raise ImportError('the digits come with scikit-learn: pip install "polar-monitor[demo]"') from missing
    found = load_digits()
    return torch.from_numpy((found.data / 16.0).astype(np.float32)), found.target.astype(np.float64)[:, None]


def conditional(n: int, share: float = 0.5, seed: int = 0) -> tuple[Tensor, NDArray[np.float64]]:
    """n images (n, 256) of a disc at the left and, at the right, a second disc (a `share` of them) or a filled panel.

    Factors: height of the first disc, whether there is a second, its height (0 where there is none). A panel has no
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
