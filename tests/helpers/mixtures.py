"""Random windows of one dimension: groups at any distance, with a noise from 10⁻⁵ of the spread."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def random_mixture(rng: np.random.Generator, n: int = 256) -> tuple[Array, Array]:
    """Return means and variances (1, n) float32: up to four groups, sometimes few different means, σ alike or not."""
    groups = int(rng.integers(1, 5))
    group = rng.integers(0, groups, n)
    distance = 10 ** rng.uniform(-1, 3) if rng.random() < 0.6 else 0.0
    centre = distance * rng.normal(size=groups)
    width = 10 ** rng.uniform(-2, 0.5, groups) if rng.random() < 0.5 else np.ones(groups)
    shape = (rng.normal(size=n), rng.uniform(-1, 1, n), rng.standard_t(2, n))[rng.integers(3)]
    mean = centre[group] + width[group] * shape
    if rng.random() < 0.3:
        mean = mean[rng.integers(0, rng.integers(2, 20), n)]
    sigma = 10 ** rng.uniform(-5, 0.5, groups)[group] if rng.random() < 0.4 else 10 ** rng.uniform(-5, 0.5)
    sigma = sigma * np.exp(rng.choice([0.0, 0.1, 0.5, 1.5]) * rng.normal(size=n))
    return mean[None].astype(np.float32), (sigma**2)[None].astype(np.float32)
