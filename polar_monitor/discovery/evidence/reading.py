"""A reading: the mean, the spread and its form, and the sample that they explain, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from .forms import Form
from .noise import Fit
from .pieces import Slot
from .samples import SampleSlot

MIN_LEAD = 8.0
"""Log-likelihood by which a confirmed reading is ahead: 3,000 to 1."""


@dataclass(frozen=True)
class Reading:
    """One latent variable, read off the data."""

    mean: Slot
    spread: Slot
    form: Form
    sample: SampleSlot
    shape: tuple[int, ...]
    """Shape of the mean in the latest step."""
    fit: Fit
    lead: float
    """Log-likelihood by which it is ahead of the next reading."""
    order: int
    """Position of the sample in the step: the nearest to the decoder comes last."""

    @property
    def is_confirmed(self) -> bool:
        """True if the residuals are noise, and no other reading comes near."""
        return self.fit.fits and self.lead >= MIN_LEAD

    @property
    def size(self) -> int:
        """Numbers of the mean."""
        return prod(self.shape)

    def overlaps(self, other: Reading) -> bool:
        """Return True if both read the same tensors, or parts of them."""
        return bool({self.mean[:2], self.spread[:2]} & {other.mean[:2], other.spread[:2]})

    @property
    def evidence(self) -> str:
        """The evidence in words."""
        spread = f"{self.fit.variance:.2f} ± {self.fit.error:.2f}"
        return f"{self.sample} is mean + σ × noise: residual variance {spread} over {self.fit.numbers} numbers"
