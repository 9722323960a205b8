"""Tensors near a mean that modules take: samples of it, in a form that no reading has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import thread_time

import numpy as np

from ...discovery.evidence.forms import FORMS
from ...discovery.evidence.latents import name_hint
from ...discovery.evidence.later.processing import explanation_of
from ...discovery.evidence.noise import Fit
from ...discovery.evidence.pieces import Piece, Slot
from ...discovery.evidence.reading import Reading
from ...discovery.evidence.samples import Sample, stacked
from ...discovery.evidence.seen import Seen
from ...discovery.evidence.step import Step
from ...discovery.evidence.trial import numbers_of
from ...discovery.evidence.views import has_zeros
from ...discovery.latent import Latent

MAX_CORRELATION, ERRORS, MIN_NUMBERS = 0.3, 4.5, 64
"""Correlation of a sample with its mean from which on it is one: so many standard errors, or this if it is less. It is
known from so many numbers on."""
MAX_NUMBERS = 4096
MAX_PAIRS = 4
"""Pairs of heads that are tried with one sample."""
MAX_SECONDS = 0.5
"""Processor time after which no further pair is tried: a deep decoder takes hundreds of tensors near some other one."""
UNKNOWN = Fit(float("nan"), float("nan"), float("inf"), 0)


def near_reading(latent: Latent, seen: Sequence[Seen]) -> Reading | None:
    """Return a latent that names or arguments gave as a reading of what a module takes near its mean; None if none is.

    A tensor that another module gives is none: it is computed, not drawn.
    """
    step, name = Step(seen), latent.parts[0].name
    for sample, mean in _near(step, {name}):
        spread = next((slot for slot in step.paired(sample) if _is_spread(slot, mean.slot, latent)), None)
        if spread is not None:
            return _reading(step, sample, mean, spread, "logvar" if len(latent.parts) == 1 else str(latent.kind))
    return None


def explained_reading(seen: Sequence[Seen]) -> Reading | None:
    """Return the heads of a sample that some processing of them explains, as a reading; None if there are none.

    Names rank the pairs of heads that are tried.
    """
    step, began = Step(seen), thread_time()
    for sample, mean in _near(step, None):
        pieces = step.candidates(sample)
        if mean.slot not in [piece.slot for piece in pieces] or step.is_beside_inputs(sample):
            continue
        at = [piece.slot for piece in pieces].index(mean.slot)
        linked = [pieces[place] for place in np.flatnonzero(step.links(pieces)[at])]
        linked.sort(key=lambda piece: -name_hint(mean.slot, piece.slot, "logvar"))
        for spread in linked[:MAX_PAIRS]:
            if thread_time() - began > MAX_SECONDS:
                return None
            lines = numbers_of(step, sample, [mean, spread], MAX_NUMBERS, "")
            if lines is not None and len(lines.places) == 2:
                z, first, second = (line.reshape(lines.sizes).astype(np.float64) for line in lines.values)
                if explanation_of(z, first, second, sample.mantissa) is not None:
                    return _reading(step, sample, mean, spread.slot, "logvar")
    return None


def _near(step: Step, names: set[str] | None) -> Iterator[tuple[Sample, Piece]]:
    """Yield what modules take that is near a piece of the modules of these names, or of all, and not equal."""
    for entry in step.places():
        if entry.is_output:
            continue  # it may be computed of the mean
        for sample in step.samples_in(entry):
            if has_zeros(sample.values) or step.is_input(sample):
                continue  # dropout; data
            pieces = [piece for slot, piece in step.paired(sample).items() if names is None or slot.module in names]
            lines = stacked(sample, pieces, MAX_NUMBERS) if pieces else None
            if lines is None or lines.values.shape[1] < MIN_NUMBERS:
                continue
            z, matches = lines.values[0], []
            for place, mean in zip(lines.places, lines.values[1:], strict=True):
                with np.errstate(all="ignore"):
                    correlation = float(np.corrcoef(z, mean)[0, 1])
                enough = min(MAX_CORRELATION, ERRORS / np.sqrt(len(z)))
                if correlation > enough:
                    matches.append((correlation, place, np.allclose(z, mean)))
            if matches and not any(is_same for *_, is_same in matches):
                yield from ((sample, pieces[place]) for _, place, _ in sorted(matches, reverse=True))


def _is_spread(slot: Slot, mean: Slot, latent: Latent) -> bool:
    """Return True if a piece is the spread beside a mean: of the other module, or the other part of the same tensor."""
    if len(latent.parts) == 2:
        return slot.module == latent.parts[1].name and (slot.cut is None) == (mean.cut is None)
    if mean.cut is None:
        return slot.module == mean.module and slot.cut is None and slot.path > mean.path
    same = slot[:2] == mean[:2] and slot.cut is not None and slot.cut[:2] == mean.cut[:2]
    return same and mean.cut.kind == "half" and slot.cut.number == 1 != mean.cut.number  # type: ignore[union-attr]


def _reading(step: Step, sample: Sample, mean: Piece, spread: Slot, unit: str) -> Reading:
    form = next(form for form in FORMS if form.unit == unit and form.read is None)
    takers = frozenset(step.takers(sample))
    beside = step.is_beside_inputs(sample)
    return Reading(
        mean.slot, spread, form, sample.slot, mean.shape, UNKNOWN, 0.0, sample.order, takers, is_beside_inputs=beside
    )
