"""Mean and spread that the user's arguments read, beside what a step of training shows.

Where functions read them, the look keeps what they give, as if the module gave it too; so it is tried like any other
tensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...discovery.evidence.forms import FORMS, Form
from ...discovery.evidence.later.processing import explanation_of
from ...discovery.evidence.noise import MAX_DEVIATION, MIN_NUMBERS, fit
from ...discovery.evidence.pieces import Piece, Slot
from ...discovery.evidence.reading import Reading
from ...discovery.evidence.samples import Sample
from ...discovery.evidence.seen import GIVEN, Seen
from ...discovery.evidence.step import Step
from ...discovery.evidence.tally import with_rounding
from ...discovery.evidence.trial import MARGIN, MAX_KEPT, SAME_SCALE, numbers_of
from ...discovery.latent import Latent

SAME = 1e-4
"""Share of the largest mean up to which two means are equal."""
MIN_CORRELATION = 0.3
"""Correlation with its mean from which on a tensor that a module takes is a sample of it."""


class GivenValues:
    """Mean and spread that the modules or functions gave in one step."""

    def __init__(self, latent: Latent, seen: Sequence[Seen], is_read: bool = True) -> None:
        self._step = Step(seen)
        self._mean, self._spread = (_slot(latent, side, is_read) for side in ("mean", "spread"))
        self._form: Form | None = next((form for form in FORMS if form.unit == latent.kind), None)

    def agree(self, reading: Reading) -> bool:
        """Return True if a reading says the same: equal means, and equal σ."""
        step, sample = self._step, self._step.find(reading.sample)
        paired = {} if sample is None else step.paired(sample)
        slots = (reading.mean, self._mean, reading.spread, self._spread)
        if sample is None or self._form is None or not all(slot in paired for slot in slots):
            return False
        lines = numbers_of(step, sample, [paired[slot] for slot in slots], MAX_KEPT, reading.way)
        if lines is None or len(lines.places) < len(slots):
            return False
        _, mean, own_mean, spread, own_spread = lines.values.astype(np.float64)
        with np.errstate(all="ignore"):
            apart = reading.form.log_scale(spread) - self._form.log_scale(own_spread)
            apart = apart + np.log(2) / 2 if reading.form.laplace else apart
        same = bool(np.abs(mean - own_mean).max() <= SAME * np.abs(mean).max() + 1e-12)
        return same and bool(np.square(apart).mean() < SAME_SCALE**2)

    def have_size_of(self, reading: Reading) -> bool:
        """Return True if a reading's mean has as many numbers as the given one."""
        return any(piece.slot == self._mean for piece in self._step.pieces.get(reading.size, ()))

    def fit_a_sample(self) -> bool:
        """Return True if what some module takes is given mean + σ × noise in this step."""
        return self._form is not None and any(self._fits(*one) for one in self._samples())

    def contradiction(self) -> str:
        """Return words for a sample of the given mean that the given σ does not explain; '' if there is none."""
        for sample, mean, spread in self._samples():
            lines = numbers_of(self._step, sample, [mean, spread], MAX_KEPT, "")
            if lines is None or len(lines.places) < 2 or lines.values.shape[1] < MIN_NUMBERS:
                continue
            z, centre, scale = (line.reshape(lines.sizes).astype(np.float64) for line in lines.values)
            is_near = np.corrcoef(z.ravel(), centre.ravel())[0, 1] > MIN_CORRELATION and not np.allclose(z, centre)
            if not is_near or self._fits(sample, mean, spread):
                continue
            result = explanation_of(z, centre, scale, sample.mantissa)
            what = "" if result is None else f": what fits is {result.words('what mean= gives', 'the spread')}"
            return f"{sample.slot} is near the given mean, but not mean + σ × noise as it is read{what}"
        return ""

    def _samples(self) -> Iterator[tuple[Sample, Piece, Piece]]:
        for entry in self._step.places():
            for sample in self._step.samples_in(entry):
                paired = self._step.paired(sample)
                if not entry.is_output and self._mean in paired and self._spread in paired:
                    yield sample, paired[self._mean], paired[self._spread]

    def _fits(self, sample: Sample, mean: Piece, spread: Piece) -> bool:
        lines = numbers_of(self._step, sample, [mean, spread], MAX_KEPT, "")
        if lines is None or len(lines.places) < 2 or self._form is None:
            return False
        z, centre, given = (line.reshape(-1, lines.width).astype(np.float64) for line in lines.values)
        with np.errstate(all="ignore"):
            scale = self._form.log_scale(given)
            if not np.isfinite(scale).all():
                return False
            scale = with_rounding(scale, lines.values[0].reshape(z.shape), sample.mantissa)
            return fit(centre, scale, z, laplace=False).worst <= MAX_DEVIATION + MARGIN


def _slot(latent: Latent, side: str, is_read: bool) -> Slot:
    """Return where one side of a latent is seen: what a function reads of a module's output, or that output."""
    part = next((part for part in latent.parts if part.side in (side, "both")), latent.parts[0])
    return Slot(part.name, (GIVEN, side) if is_read else (), None)
