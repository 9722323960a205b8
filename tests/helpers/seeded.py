"""The check that every generated data set passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def assert_seeded(draw: Callable[[int, int], tuple[Any, ...]]) -> None:
    """Check that a seed gives finite rows, the same ones twice, and that another seed gives others."""
    first, again, other = draw(70, 1), draw(70, 1), draw(70, 2)
    x, *_, factors = first
    assert x.dtype == torch.float32
    assert factors.dtype == np.float64
    assert len(x) == len(factors) == 70
    assert torch.isfinite(x).all()
    assert all(bool((a == b).all()) for a, b in zip(first, again, strict=True))
    assert not torch.equal(x, other[0])
