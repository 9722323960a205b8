"""First look at a sample: is there any reading that a few of its numbers leave possible?"""

from __future__ import annotations

import numpy as np

from .forms import FORMS
from .samples import Sample
from .step import Step
from .tally import Bools, possible_means, tally
from .trial import SLACK, Trial, Way, in_a_pair, numbers_of, scales_in

SCREEN = 512
"""Numbers of a sample that the first look uses."""
MAX_GIVEN = 12
"""Readings that are compared with what the modules around them take."""


class Given(Exception):  # noqa: N818 - no error
    """Raised for a sample whose residuals are a part of what modules take."""


def opened(step: Step, sample: Sample, way: Way = "") -> Trial | None:
    """Return a trial of a sample that some reading can explain, as far as a few of its numbers show; else None."""
    pieces = step.candidates(sample)
    if len(pieces) < 2:
        return None
    linked = step.links(pieces)
    result = numbers_of(step, sample, pieces, SCREEN, way) if linked.any() else None
    if result is None:
        return None
    lines, places = result.values, result.places
    pieces, linked = [pieces[place] for place in places], linked[places][:, places]
    linked &= possible_means(lines)[:, None]
    if not linked.any():
        return None
    sums = tally(lines, linked, scales_in(step, sample, pieces, result))
    plausible = sums.plausible(5.0, SLACK) & linked[:, :, None]
    likely = np.where(plausible, sums.likelihood, -np.inf)
    pairs: Bools = np.any(plausible, 2)
    for i, j in sorted(np.argwhere(pairs).tolist(), key=lambda at: -likely[at[0], at[1]].max())[:MAX_GIVEN]:
        with np.errstate(all="ignore"):
            scale = FORMS[int(likely[i, j].argmax())].log_scale(lines[1 + j])
            residual = (lines[0] - lines[1 + i]) / np.exp(scale)
        if not way and step.is_given(residual, sample, pieces[i]):
            raise Given
    keep = in_a_pair(pairs)
    if not keep.any():
        return None
    kept = [piece for piece, stays in zip(pieces, keep, strict=True) if stays]
    trial = Trial(sample, kept, pairs[keep][:, keep], way)
    trial.take(step, sample, kept)
    return trial if trial.is_open else None
