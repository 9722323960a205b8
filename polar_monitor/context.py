"""What the training loop tells of itself at one evaluation.

The latents alone cannot tell a β that rises from a decoder that has learned to do without them; these three can.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Context:
    """At one evaluation; None for what has not been told."""

    beta: float | None = None
    """Weight of the KL term."""
    learning_rate: float | None = None
    """The highest since the evaluation before."""
    reconstruction: float | None = None
    """Mean of the reconstruction term, as it enters the loss, since the evaluation before."""

    def to_dict(self) -> dict[str, float | None]:
        """Plain data for JSON."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Context:
        """The inverse of `to_dict`. Raises TypeError or ValueError for what is none."""
        found = {name: None if value is None else float(value) for name, value in data.items()}
        if not all(math.isfinite(value) for value in found.values() if value is not None):
            raise ValueError(f"context: expected finite numbers, got {str(dict(data))[:100]}")
        return cls(**found)


NOTHING = Context()
