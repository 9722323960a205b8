"""Windows of means and variances as random encoders give them for new inputs, (D, n) float32."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
KINDS = ("gaussian", "weak", "mixed", "collapsed", "dead")


def random_encoder(rng: np.random.Generator, n: int = 4096, kind: str = "gaussian") -> tuple[Array, Array]:
    """Return the window of n new inputs of a two-layer encoder with 1 to 16 latent dimensions."""
    dimensions, features = int(rng.integers(1, 17)), int(rng.integers(2, 20))
    if kind == "dead":
        constant = rng.normal(size=(2, dimensions, 1)).repeat(n, 2)
        return constant[0].astype(np.float32), np.exp(constant[1]).astype(np.float32)
    weights = rng.normal(size=(64, features)) * rng.uniform(0.3, 2) / np.sqrt(features)
    hidden = np.tanh(weights @ rng.normal(size=(features, n)))
    mean, log = (standardised(rng.normal(size=(dimensions, 64)) @ hidden) for _ in range(2))
    nats = rng.exponential(1.0, dimensions) * (rng.random(dimensions) < 0.7)
    nats = {"weak": rng.uniform(0, 0.4, dimensions), "collapsed": np.zeros(dimensions)}.get(kind, nats)[:, None]
    variance = np.exp(rng.uniform(0, 0.6) * log - 2 * nats)
    mean *= np.sqrt(1 - np.exp(-2 * nats) + 1e-4)
    if kind == "mixed":
        used = rng.random((dimensions, n)) < rng.uniform(0.05, 0.95, (dimensions, 1))
        mean = np.where(used, mean, 0.03 * mean)
        variance = np.where(used, variance, 0.97 * np.exp(rng.choice([0.02, 0.5]) * log))
    return mean.astype(np.float32), variance.astype(np.float32)


def standardised(x: Array) -> Array:
    """Return x (D, n) with mean 0 and standard deviation 1 in every dimension."""
    return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
