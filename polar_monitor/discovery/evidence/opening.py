"""First look at a sample: is there any reading that a few of its numbers leave possible?"""

from __future__ import annotations

import numpy as np

from .forms import FORMS
from .noise import MIN_ROWS, fit
from .pieces import Piece
from .reading import Way
from .samples import Sample
from .seen import F32
from .step import Step
from .tally import MIN_GAIN, Bools, possible_means, tally
from .trial import SLACK, Trial, in_a_pair, numbers_of, scales_in
from .views import View

SCREEN = 512
"""Numbers of a sample in which forms are tried at first."""
SCREEN_MEANS = 4096
"""Numbers in which means are."""
MAX_ERRORS_OF_SPREAD = 4.0
"""Standard errors by which the σ of a dimension may be off one σ of all."""
MAX_GIVEN = 12
"""Readings that are compared with what the modules around them take."""


class Given(Exception):  # noqa: N818 - no error
    """Raised for a sample whose residuals are a part of what modules take."""


def opened(step: Step, sample: Sample, way: Way = "", remarks: list[str] | None = None) -> Trial | None:
    """Return a trial of a sample that some reading can explain, as far as a few of its numbers show; else None.

    `remarks` gets words for a sample with the same σ in all inputs, which no module gives.
    """
    pieces = _with_possible_means(step, sample, step.candidates(sample), way)
    result = numbers_of(step, sample, pieces, SCREEN_MEANS, way) if pieces else None
    if result is None:
        return None
    means = possible_means(_thinned(result.values, SCREEN_MEANS))
    if not means.any():
        return None
    lines, every = _thinned(result.values, SCREEN), max(result.values.shape[1] // SCREEN, 1)
    pieces = [pieces[place] for place in result.places]
    linked = step.links(pieces) & means[:, None]
    plausible = np.zeros((0, 0, 0), bool)
    if linked.any():
        sums = tally(lines, linked, scales_in(step, sample, pieces, lines, result.key))
        plausible = sums.plausible(5.0, SLACK) & linked[:, :, None]
    if not plausible.any():
        if remarks is not None and means.any() and sample.slot.view == View("") and not way:
            remarks += _with_constant_spread(sample, pieces, result.values, result.width, means)
        return None
    pairs: Bools = np.any(plausible, 2)
    keep = in_a_pair(pairs)
    if not keep.any():
        return None
    kept = [piece for piece, stays in zip(pieces, keep, strict=True) if stays]
    trial = Trial(sample, kept, pairs[keep][:, keep], way)
    trial.take(step, sample, kept)
    if not trial.is_open:
        return None
    if not way:
        likely = np.where(plausible, sums.likelihood, -np.inf)
        for i, j in sorted(np.argwhere(pairs).tolist(), key=lambda at: -likely[at[0], at[1]].max())[:MAX_GIVEN]:
            with np.errstate(all="ignore"):
                scale = FORMS[int(likely[i, j].argmax())].log_scale(lines[1 + j])
                residual = (lines[0] - lines[1 + i]) / np.exp(scale)
            if step.is_given(residual, sample, pieces[i], every):
                raise Given
    return trial


def _with_possible_means(step: Step, sample: Sample, pieces: list[Piece], way: Way) -> list[Piece]:
    """Return the pieces that a few numbers leave possible as means, and those beside them."""
    result = numbers_of(step, sample, pieces, SCREEN, way) if pieces else None
    if result is None:
        return []
    means = possible_means(_thinned(result.values, SCREEN))
    if not means.any():
        return []
    pieces = [pieces[place] for place in result.places]
    keep = means | in_a_pair(step.links(pieces) & means[:, None])
    return [piece for piece, stays in zip(pieces, keep, strict=True) if stays]


def _thinned(lines: F32, limit: int) -> F32:
    """Return at most so many of the numbers, from all over them."""
    every = lines.shape[1] // limit
    return np.ascontiguousarray(lines[:, ::every][:, :limit]) if every > 1 else lines


def _with_constant_spread(sample: Sample, pieces: list[Piece], lines: F32, width: int, means: Bools) -> list[str]:
    """Return words for a sample that is a mean and noise of the same σ in all inputs, if it is."""
    left = np.where(means, np.square(lines[0] - lines[1:]).mean(1), np.inf)
    place = int(left.argmin())
    if lines.shape[1] / 2 * np.log(lines[0].var() / max(left[place], 1e-30)) < MIN_GAIN:
        return []
    width = width if lines.shape[1] % width == 0 else 1
    z, mean = (line.reshape(-1, width).astype(np.float64) for line in (lines[0], lines[1 + place]))
    spread = np.broadcast_to((z - mean).std(0), z.shape)
    if len(z) < MIN_ROWS or not spread.all() or not fit(mean, np.log(spread), z, False).fits:
        return []
    together, slot = float((z - mean).std()), pieces[place].slot
    remedy = "pass it yourself: monitor.observe(mu, logvar)"
    shown = f"{spread.min():.2g} to {spread.max():.2g}"
    if np.abs(np.log(spread / together)).max() < MAX_ERRORS_OF_SPREAD / (2 * len(z)) ** 0.5:
        shown = _round(together, together / (2 * z.size) ** 0.5)
        if not slot.path and slot.cut is None:
            read = f"mean=lambda out: out, std=lambda out: torch.full_like(out, {shown})"
            remedy = f'write attach(model, latent="{slot.module}", {read})'
    return [
        f"{sample.slot} is what {slot} gives and noise whose σ ({shown}) is the same for all inputs; no module gives "
        f"this σ. If it is a latent, {remedy}"
    ]


def _round(value: float, error: float) -> str:
    """Return the roundest number within two standard errors of a value, as people write it."""
    near = f"{value:.1g}"
    return near if abs(float(near) - value) <= 2 * error else f"{value:.2g}"
