"""Patches of the two photographs that scikit-learn ships."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def patches(n: int, side: int = 8, seed: int = 0) -> tuple[Tensor, NDArray[np.float64]]:
    """n grey patches (n, side²) at random places of two photographs, and their factors: picture (0, 1), contrast.

    Each is less its own mean, and all are in units of one standard deviation, so that the mean variance of a pixel is
    1; contrast is the logarithm of a patch's own. Their spectrum falls smoothly, as that of natural images does: no
    number of latent dimensions is the right one.

    Raises ImportError, which names the extra to install, without scikit-learn or the Pillow it reads them with.
    """
    try:
        from sklearn.datasets import load_sample_images

        pictures = [np.asarray(image, np.float64).mean(2) / 255 for image in load_sample_images().images]
    except ImportError as missing:
        raise ImportError(
            "the photographs come with scikit-learn and need Pillow: pip install scikit-learn pillow"
        ) from missing
    rng = np.random.default_rng(seed)
    which = rng.integers(len(pictures), size=n)
    cut = np.empty((n, side * side))
    for k, picture in enumerate(pictures):
        windows = np.lib.stride_tricks.sliding_window_view(picture, (side, side))
        here = np.flatnonzero(which == k)
        top, left = (rng.integers(length, size=len(here)) for length in windows.shape[:2])
        cut[here] = windows[top, left].reshape(len(here), -1)
    cut -= cut.mean(1, keepdims=True)
    cut /= cut.std()
    contrast = np.log(cut.std(1) + 1e-3)
    return torch.from_numpy(cut.astype(np.float32)), np.stack([which.astype(np.float64), contrast], axis=1)
