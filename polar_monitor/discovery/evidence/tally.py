"""Likelihoods of all readings of one sample, added up over training steps.

For a sample z and candidates for mean and spread, the log-likelihood of z under N(μ, σ²), or a Laplace distribution, is
a matrix product over its numbers, so that all pairs and forms are tried at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .forms import FORMS
from .pieces import Piece, Slot

F64 = NDArray[np.float64]

MAX_CANDIDATES = 32
"""Pieces that are tried as mean and as spread of one sample: the latest before it."""
MAX_SAMPLE = 2048
"""Numbers of a sample in a step that the likelihoods use."""
LOG_2PI = float(np.log(2 * np.pi))
MAX_LOG_SCALE = 40.0


class Tally:
    """Sums over steps for one sample: log-likelihood and squared residuals of each (mean, spread, form)."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slots = tuple(slots)
        size = len(slots)
        self.likelihood: F64 = np.zeros((size, size, len(FORMS)))
        self.squares: F64 = np.zeros((size, size, len(FORMS)))
        self.numbers = 0
        self.steps = 0

    def add(self, pieces: Sequence[Piece], sample: NDArray[np.float32]) -> None:
        """Add one step; `pieces` are those of `slots`."""
        rows = min([len(sample), *(len(piece.values) for piece in pieces)])
        width = sample[0].size
        rows = max(1, min(rows, MAX_SAMPLE // width)) if width < MAX_SAMPLE else 1
        keep = slice(None, MAX_SAMPLE)
        z = sample[:rows].ravel()[keep].astype(np.float64)
        values = np.stack([piece.values[:rows].reshape(-1)[keep] for piece in pieces]).astype(np.float64)
        distance = np.abs(z - values)
        squared = distance * distance
        with np.errstate(all="ignore"):
            for place, form in enumerate(FORMS):
                log_scale = form.log_scale(values.astype(np.float32)).astype(np.float64)
                valid = np.isfinite(log_scale).all(1) & (np.abs(log_scale).max(1) < MAX_LOG_SCALE)
                log_scale[~valid] = 0.0
                weight = np.exp(-log_scale)
                if form.laplace:
                    exponent, normaliser = distance @ weight.T, np.log(2)
                    squares = squared @ (weight * weight).T / 2
                else:
                    squares = squared @ (weight * weight).T
                    exponent, normaliser = squares / 2, LOG_2PI / 2
                likelihood = -exponent - log_scale.sum(1) - normaliser * z.size
                likelihood[:, ~valid] = -np.inf
                self.likelihood[:, :, place] += likelihood
                self.squares[:, :, place] += squares
        self.numbers += z.size
        self.steps += 1

    def narrow(self, keep: NDArray[np.bool_]) -> None:
        """Keep some of the slots."""
        self.slots = tuple(slot for slot, stays in zip(self.slots, keep, strict=True) if stays)
        self.likelihood, self.squares = (sums[keep][:, keep] for sums in (self.likelihood, self.squares))

    @property
    def variance(self) -> F64:
        """Residual variance of each reading."""
        return self.squares / max(self.numbers, 1)
