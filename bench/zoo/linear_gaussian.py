"""Gaussian data of known spectrum, for which the optimal linear VAE is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def linear_gaussian(n: int, eigenvalues: Sequence[float], seed: int = 0) -> tuple[Tensor, NDArray[np.float64]]:
    """n rows (n, D) of N(0, Σ), Σ with these D eigenvalues along random axes, and the coordinates s along them (n, D).

    s are standard normal: x = Q (√λ s), Q orthogonal. The axes depend on D alone, not on the seed.
    """
    spectrum = np.asarray(eigenvalues, dtype=np.float64)
    axes, _ = np.linalg.qr(np.random.default_rng(len(spectrum)).normal(size=(len(spectrum), len(spectrum))))
    coordinates = np.random.default_rng(seed).normal(size=(n, len(spectrum)))
    x = (coordinates * np.sqrt(spectrum)) @ axes.T
    return torch.from_numpy(x.astype(np.float32)), coordinates
