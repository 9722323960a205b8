"""Handwritten digits that scikit-learn ships."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


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
