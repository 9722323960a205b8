"""Handwritten digits that scikit-learn ships."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def digits() -> tuple[Tensor, NDArray[np.float64]]:
    """Return the 1797 handwritten digits (n, 64) of scikit-learn and their labels (n, 1).

    Raises ImportError without scikit-learn; the message names the extra to install.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as missing:
        raise ImportError("the digits come with scikit-learn: pip install scikit-learn") from missing
    loaded = load_digits()
    return torch.from_numpy((loaded.data / 16.0).astype(np.float32)), loaded.target.astype(np.float64)[:, None]
