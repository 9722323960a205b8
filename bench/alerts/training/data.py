"""Data of the suite: the demo's sprites at half and full size, its digits, Gaussians of known spectrum: (n, pixels).

The last `HELD` rows are held out: training never sees them, the interventions are made on them.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from polar_monitor.demo import data as demo

HELD = 512
SIDE = 16
"""Pixels of a small sprite's side."""
SPECTRUM = tuple(1.5 * 1.5**k for k in range(8))
"""Variances of the Gaussian data's first eight principal axes; the other eight have 0.2."""


@functools.cache
def sprites() -> tuple[Tensor, NDArray[np.float64]]:
    """Small sprites (n, 256) and their factors (n, 5)."""
    images, factors = demo.sprites(8192 + HELD, seed=11)
    small = functional.avg_pool2d(images.view(-1, 1, 2 * SIDE, 2 * SIDE), 2)
    return small.flatten(1).contiguous(), factors


@functools.cache
def digits() -> Tensor:
    """The digits (n, 64) in a random order."""
    x = demo.digits()[0]
    return x[torch.from_numpy(np.random.default_rng(12).permutation(len(x)))]


@functools.cache
def gaussians() -> Tensor:
    """Rows (n, 16) whose sample covariance has exactly the eigenvalues `SPECTRUM` and 0.2, in a random basis."""
    rng = np.random.default_rng(13)
    n, lam = 8192 + HELD, np.array([*SPECTRUM, *[0.2] * 8])
    basis = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    white = rng.normal(size=(n, 16))
    white -= white.mean(axis=0)
    white = white @ np.linalg.inv(np.linalg.cholesky(white.T @ white / n)).T
    return torch.from_numpy((white * np.sqrt(lam)) @ basis.T).float()


@functools.cache
def large_sprites() -> Tensor:
    """The demo's sprites in their full size (n, 1024)."""
    return demo.sprites(8192 + HELD, seed=11)[0]


def images(name: str) -> Tensor:
    """One of "sprites", "large_sprites", "digits" and "gaussians", held-out rows included."""
    if name == "sprites":
        return sprites()[0]
    if name == "large_sprites":
        return large_sprites()
    return digits() if name == "digits" else gaussians()


def easy_sprites() -> Tensor:
    """The sprites near the centre: all factors vary, position less."""
    x, factors = sprites()
    near = np.asarray((np.abs(factors[:, 3:]) < 0.3).all(axis=1))
    near[-HELD:] = False
    return x[torch.from_numpy(near)]
