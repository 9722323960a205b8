"""Context of one evaluation: the numbers that the training loop may log.

The latents alone do not show if β rises or if the decoder learns to ignore them; these numbers do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Context:
    """Numbers of the training loop at one evaluation; None for each that it did not log."""

    beta: float | None = None
    """Weight of the KL term."""
    learning_rate: float | None = None
    """Highest learning rate since the previous evaluation."""
    reconstruction: float | None = None
    """Mean of the reconstruction term, as it enters the loss, since the previous evaluation."""
    baseline: float | None = None
    """Reconstruction term of a model that knows nothing of its input."""

    weight_decay: float | None = None
    """Largest weight decay of the optimiser of the encoder, as the monitor reads it; None if it is not known."""

    @property
    def explained(self) -> float:
        """Share by which the reconstruction term is below the baseline; NaN if one of them is not known."""
        if self.reconstruction is None or not self.baseline:
            return math.nan
        return (self.baseline - self.reconstruction) / abs(self.baseline)

    def to_dict(self) -> dict[str, float | None]:
        """Return plain data for JSON."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Context:
        """Read what `to_dict` returned. Raises TypeError or ValueError for anything else."""
        numbers = {name: None if value is None else float(value) for name, value in data.items()}
        if not all(math.isfinite(value) for value in numbers.values() if value is not None):
            raise ValueError(f"context: expected finite numbers, got {str(dict(data))[:100]}")
        return cls(**numbers)


NOTHING = Context()
"""Context of a loop that logs nothing."""
