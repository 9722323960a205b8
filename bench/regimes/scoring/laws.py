"""Latents with a known answer: which inputs use a dimension, and how its variance tells.

Each law draws (mean, variance), (n, D) each, of D independent dimensions. An input that uses a dimension has
σ² = SHARP and a mean of its own, one that does not has σ² = BLUNT and a mean near zero, as a trained VAE has it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SHARP, BLUNT, REST = 0.02, 0.99, 0.05
"""σ² of an input that uses the dimension and of one that does not, and the standard deviation of the latter's mean."""
Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int], tuple[Array, Array]]


def _gated(rng: np.random.Generator, share: float, shape: tuple[int, int]) -> tuple[Array, NDArray[np.bool_]]:
    used = rng.random(shape) < share
    return np.where(used, 1.0, REST) * rng.normal(size=shape), used


def mixed(share: float) -> Draw:
    """A `share` of the inputs uses the dimension."""

    def draw(rng: np.random.Generator, n: int, dimensions: int) -> tuple[Array, Array]:
        mean, used = _gated(rng, share, (n, dimensions))
        return mean, np.where(used, SHARP, BLUNT)

    return draw


def gated_mean(share: float) -> Draw:
    """The means of `mixed(share)`, but every input uses the dimension: σ² = SHARP throughout."""

    def draw(rng: np.random.Generator, n: int, dimensions: int) -> tuple[Array, Array]:
        mean, _ = _gated(rng, share, (n, dimensions))
        return mean, np.full(mean.shape, SHARP)

    return draw


def gaussian(variance: float, log_spread: float = 0.0) -> Draw:
    """μ ~ N(0, 1) - and σ² lognormal with that mean; the same for every input where `log_spread` is 0."""

    def draw(rng: np.random.Generator, n: int, dimensions: int) -> tuple[Array, Array]:
        mean = rng.normal(size=(n, dimensions)) * np.sqrt(max(1 - variance, 0.0))
        log = log_spread * rng.normal(size=mean.shape) - log_spread**2 / 2
        return mean, variance * np.exp(log)

    return draw


def broad(shape: str, mean: float) -> Draw:
    """μ ~ N(0, 1 - mean) and σ² of one peak, or of none, and of this mean: see `SHAPES`."""

    def draw(rng: np.random.Generator, n: int, dimensions: int) -> tuple[Array, Array]:
        return np.sqrt(1 - mean) * rng.normal(size=(n, dimensions)), mean * SHAPES[shape](rng, (n, dimensions))

    return draw


SHAPES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "uniform": lambda rng, shape: rng.uniform(0.0, 2.0, shape) + 1e-6,
    "exponential": lambda rng, shape: rng.exponential(size=shape) + 1e-6,
    "log-uniform": lambda rng, shape: np.exp(rng.uniform(-1.7, 1.7, shape)) / (np.sinh(1.7) / 1.7),
    "skewed down": lambda rng, shape: 1.7 * np.exp(-0.7 * rng.exponential(size=shape)),
    "skewed up": lambda rng, shape: 0.5 * np.exp(0.5 * rng.exponential(size=shape)),
}
"""Laws of σ² by name, of mean 1: broad ones of every kind but the lognormal."""


def coin(centres: Callable[[np.random.Generator, tuple[int, int]], Array], share: float) -> Draw:
    """Means of a law of their own, and σ² SHARP for a `share` of the inputs, BLUNT for the others, whatever μ is."""

    def draw(rng: np.random.Generator, n: int, dimensions: int) -> tuple[Array, Array]:
        mean = centres(rng, (n, dimensions))
        return mean, np.where(rng.random(mean.shape) < share, SHARP, BLUNT)

    return draw


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Normal means of standard deviation ½: within BLUNT noise, and well above SHARP noise."""
    return 0.5 * rng.normal(size=shape)


def uniform(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Uniform means of standard deviation ½."""
    return rng.uniform(-np.sqrt(0.75), np.sqrt(0.75), size=shape)


def clusters(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Three tight clusters of means."""
    return 0.6 * rng.integers(-1, 2, size=shape) + 0.01 * rng.normal(size=shape)
