"""Trial of one sample: the readings of it that are still possible, and the most likely one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .forms import FORMS, RARITY, log_scales
from .noise import MAX_DEVIATION, Fit, fit
from .pieces import Piece, Slot
from .reading import MIN_LEAD, Reading, Way
from .samples import Lines, Sample, fingerprint, is_constant, stacked
from .seen import F32
from .step import Step
from .tally import F64, Bools, Scales, Tally, scales_of, tally, with_rounding
from .views import FULL_MANTISSA, dropout_factor, has_zeros

HINT = 2.0
"""Log-likelihood that a name is worth."""
MAX_NUMBERS = 2048
"""Numbers of a sample in a step that the likelihoods and the test of the residuals use."""
MAX_KEPT = 8192
"""Numbers that are kept for the test of the residuals."""
MANY_LOOKS, MANY_KEPT = 24, 32_768
"""Steps that a trial has taken from which on more are kept, as mean and spread have hardly moved so far."""
DEVIATIONS = 6.0
"""Standard errors that a residual variance may be away from 1."""
SLACK = 0.03
MARGIN = 1.5
"""Standard errors beyond `MAX_DEVIATION` that a reading may be off before its sample is rejected."""
SAME_SCALE = 0.01
"""Root mean square difference of log σ below which two readings say the same."""

ODDITY = {"": 0.0, "half": 0.0, "alternate": 3.0, "token": 3.0}
"""Log-likelihood that a piece must be ahead by, by its cut."""
LATER = 3.0
"""The same for what a module around the sample gives after it."""
Hint = Callable[[Slot, Slot, str], float]
"""(mean, spread, unit) → support by the names, from -1 to 1."""


class Index(NamedTuple):
    """A reading of one sample: numbers of the pieces of mean and spread, and of the form."""

    mean: int
    spread: int
    form: int


class Kept(NamedTuple):
    """Numbers of one step."""

    lines: F32
    """The sample, then a line for each piece."""
    width: int
    """Numbers of a row."""


class Trial:
    """One sample, and the readings of it that are tried."""

    def __init__(self, sample: Sample, pieces: list[Piece], linked: Bools, way: Way) -> None:
        self.sample = sample
        self.takers: set[str] = set()
        """Modules that take the sample."""
        self._decodes = False
        self._is_beside_inputs = False
        self._way = way
        self._pieces = pieces
        self._linked = linked
        self._tally: Tally | None = None
        self._kept: deque[Kept] = deque()
        self._looks = 0
        self._oddity = _oddity(pieces, sample)
        self._best: tuple[Reading | None] | None = None
        """The most likely reading, until another step is taken."""

    @property
    def modules(self) -> set[str]:
        """Names of the modules that show the sample and the pieces."""
        return {self.sample.slot.module, *(piece.slot.module for piece in self._pieces)}

    def add(self, step: Step) -> None:
        """Take one more step, if it shows the sample and all pieces."""
        sample = step.find(self.sample.slot)
        if sample is None:
            return
        places = step.paired(sample)
        if all(piece.slot in places for piece in self._pieces):
            self.take(step, sample, [places[piece.slot] for piece in self._pieces])

    def take(self, step: Step, sample: Sample, pieces: list[Piece]) -> None:
        """Add the numbers of a step; `pieces` are those of the trial."""
        self._best = None
        result = numbers_of(step, sample, pieces, MAX_NUMBERS, self._way)
        if result is None or len(result.places) < len(pieces):
            return
        lines, width = result.values, result.width
        if not self._way and has_zeros(lines[0], sample.mantissa):  # something sets numbers to 0, as no noise does
            self._tally = None
            return
        self.sample, self._pieces = sample, pieces
        self.takers |= step.takers(sample)
        if not self._looks:  # later steps need not show the model's inputs
            self._is_beside_inputs = step.is_beside_inputs(sample)
        self._decodes = self._decodes or step.gives_data_after(sample)
        new = tally(lines, self._linked, scales_in(step, sample, pieces, lines, result.key))
        self._tally = new if self._tally is None else self._tally.plus(new)
        self._kept.append(Kept(lines, width))
        self._looks += 1
        limit = MAX_KEPT if self._looks < MANY_LOOKS else MANY_KEPT
        while sum(kept.lines.shape[1] for kept in self._kept) > limit and len(self._kept) > 1:
            self._kept.popleft()
        self._narrow()

    def is_possible(self, hint: Hint) -> bool:
        """Return True if some reading can still be true."""
        if not self.is_open:
            return False
        best = self.best(hint)
        return best is not None and best.fit.worst < MAX_DEVIATION + MARGIN

    def leads(self, hint: Hint) -> bool:
        """Return True if the best reading is already far ahead."""
        best = self.best(hint)
        return best is not None and best.lead >= MIN_LEAD

    @property
    def numbers(self) -> int:
        """Numbers of the sample that were tried."""
        return 0 if self._tally is None else self._tally.numbers

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood of the best reading, for each number."""
        assert self._tally is not None
        raised = np.log(dropout_factor(self.sample.values)) if self._way == "dropout" else 0.0
        best = np.where(self._allowed(), self._tally.likelihood - RARITY, -np.inf).max()
        return float(best - raised * self._tally.numbers) / self._tally.numbers

    @property
    def is_open(self) -> bool:
        """True if some residual variance is near 1."""
        return self._tally is not None and bool(self._allowed().any())

    def _allowed(self) -> Bools:
        assert self._tally is not None
        return self._tally.plausible(DEVIATIONS, SLACK) & self._linked[:, :, None]

    def _narrow(self) -> None:
        """Let go of the pieces of which no reading can be true."""
        assert self._tally is not None
        allowed: Bools = np.any(self._allowed(), 2)
        keep = in_a_pair(allowed)
        if keep.all() or not keep.any():
            return
        self._pieces = [piece for piece, stays in zip(self._pieces, keep, strict=True) if stays]
        self._linked = allowed[keep][:, keep]
        self._tally, self._oddity = self._tally.of(keep), self._oddity[keep][:, keep]
        lines = np.concatenate([[True], keep])
        self._kept = deque(Kept(kept.lines[lines], kept.width) for kept in self._kept)

    def best(self, hint: Hint) -> Reading | None:
        """Return the most likely reading; None if none is possible. `hint` is the same in all calls."""
        if self._best is None:
            self._best = (self._most_likely(hint),)
        return self._best[0]

    def _most_likely(self, hint: Hint) -> Reading | None:
        if not self.is_open or self._tally is None:
            return None
        allowed, pieces = self._allowed(), self._pieces
        score: F64 = np.where(allowed, self._tally.likelihood - RARITY - self._oddity[:, :, None], -np.inf)
        for i, j, form in np.argwhere(allowed):
            score[i, j, form] += HINT * hint(pieces[i].slot, pieces[j].slot, FORMS[form].unit)
        top = Index(*(int(n) for n in np.unravel_index(int(score.argmax()), score.shape)))
        same, near = self._same(top)
        same &= allowed
        rivals = np.where(same | near, -np.inf, score)
        best = min((Index(*at) for at in np.argwhere(same).tolist()), key=lambda at: _preference(pieces, at))
        return Reading(
            mean=pieces[best.mean].slot,
            spread=pieces[best.spread].slot,
            form=FORMS[best.form],
            sample=self.sample.slot,
            shape=pieces[best.mean].shape,
            fit=self._fit(best),
            lead=float(score[top] - max(rivals.max(), self._tally.null)),
            order=self.sample.order,
            takers=frozenset(self.takers),
            support=hint(pieces[best.mean].slot, pieces[best.spread].slot, FORMS[best.form].unit),
            way=self._way,
            decodes=self._decodes,
            is_beside_inputs=self._is_beside_inputs,
        )

    def _same(self, top: Index) -> tuple[Bools, Bools]:
        """Return which readings say the same as one: equal means, and equal spreads from other pieces.

        Also return those that say nearly the same at present: a plain unit, and a rare form of the same piece.
        """
        lines = self._kept[-1].lines
        marks = [fingerprint(line) if not is_constant(line) else place for place, line in enumerate(lines[1:])]
        means = np.array([mark == marks[top.mean] for mark in marks])
        same = np.zeros((len(marks), len(FORMS)), bool)
        near = np.zeros((len(marks), len(FORMS)), bool)
        form = FORMS[top.form]
        scales = log_scales(lines[1:])
        scale = scales[top.spread, top.form]
        with np.errstate(all="ignore"):
            close = np.square(scales - scale).mean(2) < SAME_SCALE**2
        alike = np.array([other.unit == form.unit for other in FORMS])
        rare = np.array([form.read is None and other.read is not None for other in FORMS])
        close[:, np.array([other.laplace != form.laplace for other in FORMS])] = False
        for j, mark in enumerate(marks):
            if j == top.spread or mark == marks[top.spread]:
                same[j] = alike & close[j] & (scales[j] == scale).all(1)
                near[j] = rare & close[j]
            else:
                same[j] = close[j]
        return means[:, None, None] & same[None], means[:, None, None] & near[None]

    def _fit(self, at: Index) -> Fit:
        """Test the residuals of one reading in the kept steps."""
        width = self._kept[-1].width
        sides: tuple[list[F64], ...] = ([], [], [])
        for kept in self._kept:
            if kept.width == width:
                z, mean, spread = (kept.lines[place].astype(np.float64) for place in (0, 1 + at.mean, 1 + at.spread))
                scale = with_rounding(FORMS[at.form].log_scale(spread), kept.lines[0], self.sample.mantissa)
                for side, part in zip(sides, (mean, scale, z), strict=True):
                    side.append(part.reshape(-1, width))
        mean, scale, z = (np.concatenate(side) for side in sides)
        return fit(mean, scale, z, FORMS[at.form].laplace)


def scales_in(step: Step, sample: Sample, pieces: list[Piece], lines: F32, key: object) -> Callable[[int], Scales]:
    """Return what gives the forms of one of the pieces; lines of equal keys and lengths are the same in a step."""

    def scales(place: int) -> Scales:
        line = lines[1 + place]
        if sample.mantissa < FULL_MANTISSA:
            return scales_of(line, lines[0], sample.mantissa)
        return step.scales(pieces[place], line, (key, len(line)))

    return scales


def numbers_of(step: Step, sample: Sample, pieces: list[Piece], limit: int, way: Way) -> Lines | None:
    """Return what `stacked` does, of what a sample was before something else was done to it."""
    if way == "covariance":
        white = step.whitened(sample)
        return white and stacked(white, pieces, limit)
    result = stacked(sample, pieces, limit)
    if result is None or not way:
        return result
    left = result.values[:, result.values[0] != 0]
    if way == "dropout":
        left[0] /= np.float32(dropout_factor(sample.values))
    return Lines(left, result.places, 1, (result.key, sample.slot)) if left.shape[1] else None


def in_a_pair(pairs: Bools) -> Bools:
    """Return which pieces are the mean or the spread of some pair."""
    spreads: Bools = np.any(pairs, 0)
    means: Bools = np.any(pairs, 1)
    return means | spreads


def _preference(pieces: list[Piece], at: Index) -> tuple[bool, bool, int, int]:
    """Order readings that say the same: two layers, or one module, before a layer and another module's output."""
    first, second = pieces[at.mean], pieces[at.spread]
    layers = [piece.seen.is_layer or piece.seen.kind == "Sequential" for piece in (first, second)]
    even = first.slot.module == second.slot.module or layers[0] == layers[1]
    return not even, FORMS[at.form].read is not None, at.mean + at.spread, at.form


def _oddity(pieces: list[Piece], sample: Sample) -> F64:
    """Return the log-likelihood that pairs of pieces must be ahead by, as they are rarely met."""
    own = np.array([ODDITY[piece.slot.cut.kind if piece.slot.cut else ""] for piece in pieces])
    own += np.array([LATER if piece.seen.order > sample.order else 0.0 for piece in pieces])
    pairs: F64 = (own[:, None] + own) / 2
    return pairs
