"""Windows that no model should give, and some do."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
SIZES = (1, 2, 3, 31, 32, 33, 63, 64, 65, 511, 512, 600, 1023, 4096, 5000, 6000)


def adversarial_window(rng: np.random.Generator) -> tuple[Array, Array | None, int]:
    """Return rows (n, D), their variances or None, and the number of rows of an input."""
    n, dimensions = int(rng.choice(SIZES)), int(rng.choice([1, 1, 2, 3, 7]))
    mean = np.stack([column(rng, n) for _ in range(dimensions)], axis=1)
    variance = np.stack([noise(rng, n) for _ in range(dimensions)], axis=1) if rng.random() < 0.75 else None
    with np.errstate(over="ignore", under="ignore"):
        mean = mean.astype(np.float32)
        variance = None if variance is None else variance.astype(np.float32)
    for x in (mean, variance):
        if x is not None and rng.random() < 0.4:
            x[rng.random(x.shape) < rng.choice([0.001, 0.1, 0.9, 1.0])] = rng.choice(
                [np.nan, np.inf, -np.inf, 0.0, -1.0]
            )
    return mean, variance, int(rng.choice([1, 1, 1, 2, 5, 64, 10_000]))


def column(rng: np.random.Generator, n: int) -> Array:
    """Return means (n,) of one dimension."""
    scale, shift = 10.0 ** rng.uniform(-44, 38), rng.choice([0.0, 1.0, -1e4])
    normal, few = rng.normal(size=n), int(rng.integers(1, 9))
    x = (
        normal, np.zeros(n), np.round(4 * normal) / 4, rng.normal(size=few)[rng.integers(0, few, n)],
        rng.standard_cauchy(n), np.where(rng.random(n) < 0.01, 1e30, normal), normal * 10.0 ** rng.uniform(-40, 0, n),
        np.sort(normal), np.arange(n) % few, np.where(np.arange(n) == n // 2, 1e38 / scale, 0.0),
    )[rng.integers(10)]  # fmt: skip
    return np.asarray((x + shift) * (scale if rng.random() < 0.6 else 1.0))


def noise(rng: np.random.Generator, n: int) -> Array:
    """Return variances (n,) of one dimension."""
    scale, normal = 10.0 ** rng.uniform(-44, 38), rng.normal(size=n)
    x = (
        np.ones(n), np.exp(0.3 * normal), np.exp(3 * normal), np.exp(np.clip(20 * normal, -80, 80)),
        np.where(rng.random(n) < 0.5, 1e-30, 1.0), np.where(np.arange(n) == 0, 1e-38, 1e38),
        10.0 ** (np.arange(n) % 70 - 35),
    )[rng.integers(7)]  # fmt: skip
    return np.asarray(x * (scale if rng.random() < 0.4 else 1.0))
