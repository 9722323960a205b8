"""Judge of the evidence: takes one training step after the other, and says which readings are confirmed.

A reading is confirmed if its residuals are those of noise, if its likelihood is far ahead of every reading that says
something else, and if a module takes the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import thread_time

from .noise import MAX_DEVIATION
from .opening import Given, opened
from .reading import Reading, Way
from .samples import SampleSlot
from .seen import Seen
from .step import Step
from .trial import Hint, Trial
from .views import are_rows, has_zeros

MAX_TRIALS = 32
"""Samples that are tried."""
MAX_PARTS = 3
"""Parts of one tensor that are tried: those with most numbers, which fit least by chance."""
MIN_ZEROS = 1000
"""Numbers of a sample with single zeros from which the rate of dropout is known."""
MANY = 80
"""Tensors of a step above which samples among other columns are looked for in every second search only."""
PAUSES = (0, 0, 6, 20)
"""Steps between searches that find nothing to try."""


class Judge:
    """Evidence of the steps so far."""

    def __init__(self, hint: Hint) -> None:
        self._hint = hint
        self._trials: dict[SampleSlot, Trial] = {}
        self._rejected: set[SampleSlot] = set()
        self._settled: list[Reading] = []
        """Readings that are not looked for any more."""
        self._wants_search = False
        self.steps = 0
        self.remarks: list[str] = []
        """Words for what the latest search saw that is no reading: noise of a constant σ."""
        self._searches = 0
        self._unseen = 0
        """Place in a step at which the next search begins: those before it were searched when time was up."""

    @property
    def is_cut(self) -> bool:
        """True if time was up before all tensors of the steps so far were searched once."""
        return self._unseen > 0

    @property
    def pause(self) -> int:
        """Steps that need not be looked at now, as nothing was in question in the latest; 0 while something is."""
        waits = self._trials or self._unseen or self._wants_search
        return 0 if waits else PAUSES[min(self._searches, len(PAUSES) - 1)]

    def add(self, seen: Sequence[Seen], seconds: float = inf) -> None:
        """Take the tensors of one step: of all modules, or of `modules()` as it was before.

        A search for new samples ends after so many seconds of processor time, and one tensor; the next one goes on
        where it ended.
        """
        step, shows_all = Step(seen), not self.modules()
        self.steps += 1
        self._wants_search = False
        for trial in self._trials.values():
            trial.add(step)
        self._reject()
        if shows_all:
            self._searches += 1
            self.remarks.clear()
            places, begin, until = list(step.places()), self._unseen, thread_time() + seconds
            self._unseen = 0
            for place, entry in enumerate(places[begin:], begin):
                if place > begin and thread_time() > until:
                    self._unseen = place
                    break
                if entry.call and any(slot[:3] == (entry.module, entry.is_output, entry.path) for slot in self._trials):
                    continue  # one call of a module is enough
                for trial in self._search(step, entry):
                    self._trials.setdefault(trial.sample.slot, trial)
                if len(self._trials) >= MAX_TRIALS:
                    break
            if self._settled:
                self._reject()

    def settle(self, readings: Sequence[Reading]) -> None:
        """Look no more for these readings; the next step is searched for samples of others, and has to show all."""
        self._settled += readings
        self.remarks.clear()
        self._wants_search = True
        self._reject()

    def _reject(self) -> None:
        """Drop the trials of which nothing is possible any more, or what is settled."""
        for slot, trial in list(self._trials.items()):
            best = trial.best(self._hint) if trial.is_possible(self._hint) else None
            if best is None or any(best.overlaps(other) for other in self._settled):
                self._rejected.add(slot)
                del self._trials[slot]

    def _search(self, step: Step, entry: Seen) -> list[Trial]:
        """Return the trials of the first views of a tensor that can be a sample: a complete one, and a part."""
        trials: list[Trial] = []
        parts: list[Trial] = []
        try:
            joined = len(step.seen) <= MANY or self._searches % 2 == 0
            for sample in step.samples_in(entry, joined):
                is_part = not sample.slot.view.is_complete
                if is_part and any(trial.leads(self._hint) for trial in trials + parts):
                    break
                ways: tuple[Way, ...] = ("covariance", "") if step.has_covariance else ("",)
                if has_zeros(sample.values, sample.mantissa):
                    ways = ("mask",) if are_rows(sample.values) else ("mask", "dropout")
                    ways = ways if sample.values.size >= MIN_ZEROS or len(ways) == 1 else ()
                paired = [
                    sample._replace(slot=sample.slot._replace(pairing=pairing)) for pairing in step.pairings(sample)
                ]
                paired = [one for one in paired if one.slot not in self._rejected]
                opening = [opened(step, one, way, self.remarks) for one in paired for way in ways]
                several = [trial for trial in opening if trial is not None]
                several = [trial for trial in several if trial.is_possible(self._hint)]
                side = parts if is_part else trials
                side += sorted(several, key=lambda trial: -trial.log_likelihood)[:1]
        except Given:
            pass  # what a layer takes of it; smaller parts of it are no samples either
        return trials + sorted(parts, key=lambda trial: -trial.numbers)[:MAX_PARTS]

    def modules(self) -> set[str]:
        """Return the names of the modules that later steps have to show; empty if all have to."""
        if self._wants_search:
            return set()
        return {name for trial in self._trials.values() for name in trial.modules}

    def confirmed(self) -> list[Reading]:
        """Return the confirmed readings, the one nearest to the decoder last: one for each pair of mean and spread."""
        confirmed: list[Reading] = []
        views: dict[object, list[Trial]] = {}
        for slot, trial in self._trials.items():
            if slot.view.is_complete and trial.is_open:
                views.setdefault(slot[:4], []).append(trial)
        best = {max(several, key=lambda trial: trial.log_likelihood).sample.slot for several in views.values()}
        ranked = [one for one in self.ranked() if one.sample in best or not one.sample.view.is_complete]
        held = {reading.sample[:4] for reading in ranked if reading.sample.view.is_complete and reading.may_hold}
        for reading in ranked:
            is_held = reading.sample[:4] in held and not reading.sample.view.is_complete
            if reading.is_confirmed and not is_held and not any(reading.overlaps(other) for other in confirmed):
                confirmed.append(reading)
        return sorted(confirmed, key=lambda reading: reading.order)

    @property
    def is_unsettled(self) -> bool:
        """True if a reading that is not confirmed yet may still be."""
        return any(reading.fit.worst <= MAX_DEVIATION and not reading.is_confirmed for reading in self.ranked())

    def ranked(self) -> list[Reading]:
        """Return the best reading of each sample, confirmed or not: the largest that fit first, then the best fits."""
        readings = [reading for trial in self._trials.values() if (reading := trial.best(self._hint)) is not None]
        return sorted(readings, key=lambda reading: (-reading.size if reading.fit.fits else 0, reading.fit.worst))
