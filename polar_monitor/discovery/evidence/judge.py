"""Judge of the evidence: takes one training step after the other, and says which readings are confirmed.

A reading is confirmed if its residuals are those of noise, and if its likelihood is far ahead of every reading that
says something else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .forms import FORMS
from .noise import Fit, fit
from .pieces import Piece, Slot
from .reading import Reading
from .samples import Sample, SampleSlot, Step, fingerprint, is_constant
from .seen import Seen
from .tally import Tally

HINT = 3.0
"""Log-likelihood that a name is worth."""
MAX_SAMPLES = 12
"""Samples of a step that are looked at."""
SCREEN = 512
"""Numbers of a sample that the first look uses."""
PLAUSIBLE = (0.7, 1.45)
"""Residual variances that the first look lets pass; (0.3, 3) from few numbers."""
NEAR_ONE = (0.88, 1.14)
"""Residual variances of readings that are ranked."""
SAME_SCALE = 0.01
"""Root mean square difference of log σ below which two readings say the same."""
KEPT_STEPS = 6
"""Steps whose values are kept for the test of the residuals."""
RARITY = np.array([form.rarity for form in FORMS])

Hint = Callable[[Slot, Slot, str], float]
"""(mean, spread, unit) → support by the names, from -1 to 1."""
Bools = NDArray[np.bool_]


class Index(NamedTuple):
    """A reading of one sample: numbers of the pieces of mean and spread, and of the form."""

    mean: int
    spread: int
    form: int


@dataclass
class Trial:
    """One sample, and the readings of it that are tried."""

    tally: Tally
    linked: Bools
    """(pieces, pieces): True where two can be mean and spread of one latent."""
    kept: deque[tuple[Sample, list[Piece]]] = field(default_factory=lambda: deque(maxlen=KEPT_STEPS))


class Judge:
    """Evidence of the steps so far."""

    def __init__(self, hint: Hint) -> None:
        self._hint = hint
        self._trials: dict[SampleSlot, Trial] = {}
        self.steps = 0

    def add(self, seen: Sequence[Seen]) -> None:
        """Take the tensors of one step."""
        step, narrowed = Step(seen), bool(self._trials)
        self.steps += 1
        looked = 0
        for sample in step.samples():
            trial = self._trials.get(sample.slot)
            if looked >= MAX_SAMPLES or (narrowed and trial is None):
                continue
            if trial is not None:
                places = {piece.slot: piece for piece in step.pieces[sample.key]}
                if not all(slot in places for slot in trial.tally.slots):
                    continue
                pieces = [places[slot] for slot in trial.tally.slots]
            else:
                pieces = step.candidates(sample)
                linked = np.array([[step.are_linked(a, b) for b in pieces] for a in pieces], bool)
                if not linked.any():
                    continue
                plausible = _plausible(pieces, sample, linked)
                if not plausible.any():
                    continue
                keep: Bools = np.logical_or(plausible.any((1, 2)), plausible.any((0, 2)))
                pieces = [piece for piece, stays in zip(pieces, keep, strict=True) if stays]
                trial = Trial(Tally([piece.slot for piece in pieces]), linked[keep][:, keep])
                self._trials[sample.slot] = trial
            looked += 1
            trial.tally.add(pieces, sample.values)
            trial.kept.append((sample, pieces))

    def modules(self) -> set[str]:
        """Return the names of the modules that later steps have to show; none if all have to."""
        heads = {slot.module for trial in self._trials.values() for slot in trial.tally.slots}
        return heads | {slot.module for slot in self._trials}

    def confirmed(self) -> list[Reading]:
        """Return the confirmed readings, the one nearest to the decoder last: one for each pair of mean and spread."""
        confirmed: list[Reading] = []
        for reading in self.ranked():
            if reading.is_confirmed and not any(reading.overlaps(other) for other in confirmed):
                confirmed.append(reading)
        return sorted(confirmed, key=lambda reading: reading.order)

    def ranked(self) -> list[Reading]:
        """Return the best reading of each sample, confirmed or not: whole tensors first, then the best fits."""
        readings = [reading for slot, trial in self._trials.items() if (reading := self._best(slot, trial)) is not None]
        complete = {reading.sample[:4] for reading in readings if reading.sample.part == "" and reading.fit.fits}
        readings = [reading for reading in readings if reading.sample.part == "" or reading.sample[:4] not in complete]
        return sorted(readings, key=lambda reading: (-reading.size if reading.fit.fits else 0, reading.fit.worst))

    def _best(self, slot: SampleSlot, trial: Trial) -> Reading | None:
        """Return the most likely reading of one sample."""
        tally, variance = trial.tally, trial.tally.variance
        allowed = trial.linked[:, :, None] & np.isfinite(tally.likelihood)
        allowed &= (variance > NEAR_ONE[0]) & (variance < NEAR_ONE[1])
        if not allowed.any():
            return None
        score = np.where(allowed, tally.likelihood - RARITY, -np.inf)
        for i, j, form in np.argwhere(allowed):
            score[i, j, form] += HINT * self._hint(tally.slots[i], tally.slots[j], FORMS[form].unit)
        sample, pieces = trial.kept[-1]
        top = Index(*(int(n) for n in np.unravel_index(int(score.argmax()), score.shape)))
        same = allowed & _same(pieces, top)
        rivals = np.where(same, -np.inf, score)
        best = min((Index(*at) for at in np.argwhere(same).tolist()), key=lambda at: _preference(pieces, at))
        return Reading(
            mean=tally.slots[best.mean],
            spread=tally.slots[best.spread],
            form=FORMS[best.form],
            sample=slot,
            shape=pieces[best.mean].shape,
            fit=_fit(trial, best),
            lead=float(score[top] - rivals.max()),
            order=sample.order,
        )


def _plausible(pieces: list[Piece], sample: Sample, linked: Bools) -> Bools:
    """Return which readings of a sample are plausible on a few of its numbers."""
    tally = Tally([piece.slot for piece in pieces])
    rows = max(1, SCREEN // max(sample.values[0].size, 1))
    short = [piece._replace(values=piece.values[:rows]) for piece in pieces]
    tally.add(short, sample.values[:rows])
    low, high = PLAUSIBLE if tally.numbers >= SCREEN // 2 else (0.3, 3.0)
    variance = tally.variance
    return linked[:, :, None] & np.isfinite(tally.likelihood) & (variance > low) & (variance < high)


def _same(pieces: list[Piece], top: Index) -> Bools:
    """Return which readings say the same as one: equal means, and equal spreads from other pieces."""
    marks = [fingerprint(piece.values) if not is_constant(piece.values) else piece.slot for piece in pieces]
    means = np.array([mark == marks[top.mean] for mark in marks])
    spreads = np.zeros((len(pieces), len(FORMS)), bool)
    scale = FORMS[top.form].log_scale(_short(pieces[top.spread]))
    for j, piece in enumerate(pieces):
        values = _short(piece)
        for place, form in enumerate(FORMS):
            if j == top.spread or marks[j] == marks[top.spread]:
                alike = form.unit == FORMS[top.form].unit and form.laplace == FORMS[top.form].laplace
                with np.errstate(all="ignore"):
                    spreads[j, place] = alike and np.array_equal(form.log_scale(_short(pieces[top.spread])), scale)
            elif form.laplace == FORMS[top.form].laplace and len(values) == len(scale):
                with np.errstate(all="ignore"):
                    difference = form.log_scale(values) - scale
                    spreads[j, place] = float(np.square(difference).mean()) < SAME_SCALE**2
    return means[:, None, None] & spreads[None]


def _short(piece: Piece) -> NDArray[np.float32]:
    return piece.values.ravel()[:SCREEN]


def _preference(pieces: list[Piece], at: Index) -> tuple[bool, int, int]:
    """Order readings that say the same: two layers, or one module, before a layer and another module's output."""
    first, second = pieces[at.mean], pieces[at.spread]
    even = first.slot.module == second.slot.module or first.seen.is_layer == second.seen.is_layer
    return not even, at.mean + at.spread, at.form


def _fit(trial: Trial, at: Index) -> Fit:
    """Test the residuals of one reading in the kept steps."""
    sides: tuple[list[NDArray[np.float64]], ...] = ([], [], [])
    for sample, pieces in trial.kept:
        values = pieces[at.mean].values, FORMS[at.form].log_scale(pieces[at.spread].values), sample.values
        rows = min(len(side) for side in values)
        for side, part in zip(sides, values, strict=True):
            side.append(part[:rows].reshape(rows, -1).astype(np.float64))
    width = sides[0][-1].shape[1]
    mean, scale, z = (np.concatenate([part for part in side if part.shape[1] == width]) for side in sides)
    return fit(mean, scale, z, FORMS[at.form].laplace)
