"""Data for identifiable VAEs: sources whose law depends on an auxiliary variable, mixed by a random network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SLOPE = 0.2
"""Slope of the leaky rectifiers below 0; above 0, so that mixing can be undone."""


class Auxiliary(NamedTuple):
    """Rows of `auxiliary`."""

    x: Tensor
    """Observations, float32 (n, inputs)."""
    u: Tensor
    """The segment of each row, one-hot float32 (n, segments)."""
    sources: NDArray[np.float64]
    """The sources before they are mixed (n, sources)."""


def auxiliary(
    n: int, sources: int = 3, segments: int = 8, inputs: int = 16, noise: float = 0.1, seed: int = 0
) -> Auxiliary:
    """Draw n observations of conditionally independent sources, as Khemakhem et al. (2020) simulate them.

    Given a row's segment, source k is normal with a mean from N(0, 1) and a standard deviation from U(0.2, 1.2), drawn
    once for each segment and source. A random network of two leaky layers mixes the sources. Each input is scaled to
    variance 1, then noise of the given standard deviation is added. Segments and network do not depend on `seed`.
    """
    world = np.random.default_rng((sources, segments, inputs))
    means, deviations = world.normal(size=(segments, sources)), world.uniform(0.2, 1.2, (segments, sources))
    first, second = (_orthonormal(world, size, inputs) for size in (sources, inputs))

    def mix(s: NDArray[np.float64]) -> NDArray[np.float64]:
        hidden = s @ first
        return np.asarray(np.where(hidden > 0, hidden, SLOPE * hidden) @ second)

    def draw(rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        segment = rng.integers(segments, size=count)
        return segment, means[segment] + deviations[segment] * rng.normal(size=(count, sources))

    reference = mix(draw(world, 4096)[1])
    rng = np.random.default_rng(seed)
    segment, drawn = draw(rng, n)
    x = (mix(drawn) - reference.mean(0)) / reference.std(0) + noise * rng.normal(size=(n, inputs))
    u = np.eye(segments, dtype=np.float32)[segment]
    return Auxiliary(torch.from_numpy(x.astype(np.float32)), torch.from_numpy(u), drawn)


def _orthonormal(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    """Draw a (rows, columns) matrix with orthonormal rows, so that mixing loses no direction."""
    q, _ = np.linalg.qr(rng.normal(size=(columns, rows)))
    return np.asarray(q.T)
