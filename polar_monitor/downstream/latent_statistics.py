"""Mean and standard deviation of the latent's samples, and the numbers by which a diffusion model standardises them.

A model that is trained in the latent space, such as a latent diffusion model, expects values of unit scale, so the
latent is multiplied by 1 / std (Rombach et al. 2022, the `scaling_factor` of an autoencoder of diffusers), or each
channel is standardised by its own mean and standard deviation (`latents_mean`, `latents_std`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays.finite_json import finite_json
from ..statistics.array_types import Array
from ..statistics.stream import LatentStream

BLOCK = 64
"""Dimensions whose moments are computed at once: those of a wide latent need little memory."""


@dataclass(frozen=True, eq=False)
class LatentStatistics:
    """Moments of z = μ + σ ε over the rows of a window; a code without a variance is z itself.

    They are exact for these rows: computed from μ and σ² in float64, without a draw. A number is NaN where no row is
    finite, and `scaling_factor` is NaN where z does not vary.
    """

    mean: Array
    """Mean of each dimension (channel), (D,)."""
    std: Array
    """Standard deviation of each dimension, (D,): √(Var μ + mean σ²)."""
    shift_factor: float
    """Mean of all dimensions together."""
    scaling_factor: float
    """1 / standard deviation of all dimensions together, around `shift_factor`."""
    rows: int
    """Rows of the window: of a map, a few places of each input."""

    def __repr__(self) -> str:
        """Describe the scale in a line; `mean` and `std` have a number for each channel."""
        factors = f"scaling factor {self.scaling_factor:.5g}, shift factor {self.shift_factor:.5g}"
        return f"<LatentStatistics of {len(self.mean)} channels: {factors}, {self.rows} rows>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists for JSON, or for the configuration of a model; None for NaN."""
        return {name: finite_json(value) for name, value in vars(self).items()}


def latent_statistics(stream: LatentStream) -> LatentStatistics:
    """Return the statistics of the rows in a stream's window."""
    means, variances, _ = stream.columns()
    first, second, counts = (np.zeros(stream.dimensions) for _ in range(3))
    for start in range(0, stream.dimensions, BLOCK):
        some = slice(start, start + BLOCK)
        mean = means[some].astype(np.float64)
        variance = np.zeros_like(mean) if variances is None else variances[some].astype(np.float64)
        finite = np.isfinite(mean) & np.isfinite(variance)
        counts[some] = finite.sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            first[some] = np.where(finite, mean, 0.0).sum(1) / counts[some]
            squares = np.where(finite, (mean - first[some, None]) ** 2 + variance, 0.0)
            second[some] = squares.sum(1) / counts[some]
    known, total = counts > 0, counts.sum()
    if not total:
        return LatentStatistics(first, np.sqrt(second), math.nan, math.nan, means.shape[1])
    shift = float((counts * first)[known].sum() / total)
    deviation = math.sqrt((counts * (second + (first - shift) ** 2))[known].sum() / total)
    factor = 1.0 / deviation if deviation > 0 else math.nan
    return LatentStatistics(first, np.sqrt(second), shift, factor, means.shape[1])
