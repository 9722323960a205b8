"""Sprites with known factors."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SIZE = 32
"""Pixels of a sprite's side."""


def sprites(n: int, seed: int = 0) -> tuple[Tensor, NDArray[np.float64]]:
    """Draw n sprites (n, 1024); factors: shape (0 square, 1 ellipse, 2 triangle), scale, angle, x, y.

    Each is drawn by signed distance, with edges one pixel soft. The five factors are independent, so a VAE with more
    than five dimensions has passive ones.
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
