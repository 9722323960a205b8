"""The kernel that looks for a change against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from polar_monitor.kernels.judging.differs import differs


@pytest.mark.parametrize("seed", range(200))
def test_a_change_is_found_as_by_arrays(seed: int) -> None:
    draw = np.random.default_rng(seed)
    dimensions = int(draw.integers(1, 9))
    before = draw.exponential(1.0, dimensions)
    now = before + draw.normal(0, draw.choice([0.01, 0.05, 0.2]), dimensions)
    errors = draw.exponential(0.01, (2, dimensions))
    now[draw.random(dimensions) < 0.1] = np.nan
    limits = (4.0, 0.05, 0.02)
    least = np.maximum(limits[0] * np.hypot(*errors), np.maximum(limits[1] * np.maximum(before, now), limits[2]))
    assert differs(before, errors[0], now, errors[1], limits) == bool(np.any(np.abs(now - before) > least))
