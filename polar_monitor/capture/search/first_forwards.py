"""Search of the latent in the first forwards of a training, by what the data show.

It looks at one training step after the other until a reading is confirmed. A latent that the names gave is confirmed,
or replaced by the reading that fits.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter, thread_time

from torch import nn

from ..._torch_compat import runs_compiled_parts
from ...discovery.evidence.codes import CodeJudge
from ...discovery.evidence.judge import Judge
from ...discovery.evidence.latents import name_hint
from ...discovery.evidence.reading import Reading
from ...discovery.evidence.seen import Seen
from .calls import calls_of
from .late import frozen_outcome, late_outcome
from .look import Blocks, Look
from .open_levels import STEPS_FOR_OPEN, OpenLevels
from .outcome import Given, HeldGiven, Outcome, code_outcome, outcome_of

MAX_STEPS = 50
"""Training steps in which a latent must be found if the names do not give it."""
MAX_STEPS_TO_CONFIRM = 20
"""Training steps in which a latent that the names gave may be confirmed."""
MAX_STEPS_LATER = 2000
"""Training steps in which a reading that is possible, but not certain after these, may be confirmed."""
MAX_SECONDS_OF_A_LOOK, MAX_SECONDS = 0.1, 1.0
"""Processor time that one search for new samples, and all looks together, may take: the training waits for it."""
REST, FREE_SECONDS = 9.0, 0.5
"""Times that a look has taken, which pass before the next one once all looks have taken so much processor time."""
MAX_PAUSED = 10
"""Times as many steps as without pauses, after which what the looks have shown is said."""
LATE_PAUSE = 9
"""Steps between looks after these; where no reading is possible so far, as many as have gone by."""
STEPS_FOR_OTHERS, STEPS_FOR_ALL = 4, 30
"""Looked steps after which readings that are not confirmed yet are not waited for; for one latent, and for all."""


class FirstForwards:
    """Search for the latent of a model in its training."""

    def __init__(
        self, model: nn.Module, given: Given, any_mode: bool = False, on_flood: Callable[[], None] | None = None
    ) -> None:
        self._model = weakref.ref(model)
        self._look, self._judge, self._codes = Look(model), Judge(name_hint), CodeJudge()
        self._held = HeldGiven(given)
        self._blocks: Blocks | None = None
        self._steps = self._looked = self._trained = 0
        self._seen: list[Seen] = []
        """Tensors of the latest step."""
        self._wants_all = False
        """True if the next step has to show all modules: some module of a confirmed reading is called several times."""
        self._pause = 0
        """Steps that need not be looked at."""
        self._rest_until = self._spent = 0.0
        """Time before which no further look is taken, and processor time of all looks."""
        self._look.any_mode, self._look.on_flood = any_mode, on_flood
        self._look.given = self._held.facts.latent if given.is_read else None
        self._look.start()
        self._is_frozen = False
        """True if the model was compiled with the hooks: to take them off would compile it again."""
        self._is_late = False
        """True once the user knows that the first steps did not decide."""
        self._has_warned = False
        """True if that was a warning."""
        self._levels: OpenLevels | None = None
        """Rest of the search, once the first latents of a hierarchical model are confirmed."""
        self.ended = False

    @property
    def _given(self) -> Given:
        return self._held.now()

    @property
    def seconds(self) -> float:
        """Time spent in the hooks since the last call."""
        nanoseconds, self._look.nanoseconds = self._look.nanoseconds, 0
        return nanoseconds * 1e-9

    def stop(self) -> None:
        """End the search and take all hooks off. Those that a model was compiled with stay, and do nothing."""
        self.ended = self._look.muted = True
        self._set(None)
        self._held, self._look.given = HeldGiven(Given(None)), None  # they hold functions of the user

    def remove(self) -> None:
        """Take off all hooks, also those that a model was compiled with."""
        self._look.stop()

    def pause(self) -> None:
        """Take the hooks off until the next step."""
        self._set(None)

    def step(self) -> Outcome | None:
        """Judge what the latest step has shown. Returns the outcome once the search has ended."""
        if self.ended:
            return None
        self._look.muted = False
        self._trained += 1
        if self._rest_until:
            if perf_counter() < self._rest_until:
                return self._late() if self._looked else None
            self._rest_until = 0.0
            if not self._pause:
                self._set(self._wanted())
                return None
        self._steps += 1
        if self._pause:
            self._pause -= 1
            if not self._pause:
                self._set(self._wanted())
            return self._late()
        if self._blocks is None:
            self._blocks = self._look.end_step()
        if self._blocks is None or not self._blocks.ready():
            if not self._look.is_on:
                self._set(self._wanted())
            return self._late()
        began, seen, self._blocks = (perf_counter(), thread_time()), self._blocks.take(), None
        self._look.end_step()  # what came while copies were under way
        shows_all = not self._judge.modules()
        if shows_all:
            self._codes.add(seen)
        is_searched = self._codes.waits and not self._judge.is_cut
        if not (shows_all and is_searched):  # the first and the last step of a code are searched for a sample
            self._judge.add(seen, MAX_SECONDS_OF_A_LOOK)
        self._seen = seen
        self._looked += 1
        outcome = self._decide()
        if outcome is not None and self._goes_on(outcome):
            self._set(self._wanted())
            assert self._levels is not None
            return outcome._replace(why=self._levels.why)
        if outcome is None:
            may_be_code = self._given.latent is None or self._given.latent.kind is None
            is_needed = self._wants_all or (may_be_code and not self._is_late and self._codes.best() is not None)
            late = (LATE_PAUSE if self._judge.modules() or self._levels else self._steps) if self._is_late else 0
            self._pause = 0 if is_needed else max(self._judge.pause, late)
            self._rest(perf_counter() - began[0], thread_time() - began[1])
            self._set(None if self._pause or self._rest_until else self._wanted())
            return self._late(has_looked=True)
        self.stop()
        return outcome

    def _rest(self, seconds: float, own: float) -> None:
        """Let the training go on for a while after a look that took so many seconds, and processor time of its own."""
        self._spent += own
        if self._spent > FREE_SECONDS:
            self._rest_until = perf_counter() + REST * seconds

    def _wanted(self) -> set[str]:
        """Return the names of the modules that the next step has to show; empty for all."""
        return set() if self._wants_all or self._given.is_read else self._judge.modules()

    def _set(self, names: set[str] | None) -> None:
        """Put the hooks on these modules, on all if there is no name, or take them off."""
        model = self._model()
        self._is_frozen = self._is_frozen or model is None or runs_compiled_parts(model)
        if self._is_frozen:
            return
        if names is None:
            self._look.stop()
        else:
            self._look.start(names or None)

    def _decide(self) -> Outcome | None:
        confirmed, model = self._judge.confirmed(), self._model()
        if model is None:
            return None
        if self._levels is not None:
            confirmed = self._with_calls(confirmed)
            return None if self._wants_all else self._levels.add(model, confirmed)
        code = self._codes.best()
        if code is not None and not self._judge.modules() and not self._judge.is_cut:
            return code_outcome(model, code, self._given)
        patience = STEPS_FOR_ALL if self._given.wants_all else 0 if self._given.is_watched else STEPS_FOR_OTHERS
        if self._looked < patience and self._judge.is_unsettled:
            return None
        confirmed = self._with_calls(confirmed)
        return None if self._wants_all else outcome_of(model, confirmed, self._given, self._is_late, self._seen)

    def _goes_on(self, outcome: Outcome) -> bool:
        """Return True if the search goes on after an outcome, for further latents of a hierarchical model."""
        if self._levels is None and outcome.reading is not None and self._given.wants_all:
            self._levels, self._is_late = OpenLevels(self._judge, outcome, self._judge.confirmed()), False
        return self._levels is not None

    def _with_calls(self, confirmed: list[Reading]) -> list[Reading]:
        """Return confirmed readings with the calls of their modules that are recorded, or ask for a step that shows."""
        several = {entry.module for entry in self._seen if entry.call}
        of_several = any({reading.mean.module, reading.spread.module} & several for reading in confirmed)
        self._wants_all = of_several and not self._wants_all
        if not of_several or self._wants_all:
            return confirmed
        return [replace(reading, calls=calls_of(reading, self._seen)) for reading in confirmed]

    def _late(self, has_looked: bool = False) -> Outcome | None:
        """Return the outcome of a search that has lasted too long.

        It goes on where a reading is possible, and where the model has shown no sample of a latent that is watched.
        """
        given, model = self._given, self._model()
        is_over = self._spent > MAX_SECONDS
        if self._levels is not None:
            return self._of_levels(self._levels, is_over or model is None or self._is_frozen)
        enough = MAX_STEPS_TO_CONFIRM if given.is_watched else MAX_STEPS
        if not is_over and self._steps < enough and self._trained < MAX_PAUSED * enough:
            return None
        was_late, self._is_late = self._is_late, True
        if model is None or self._is_frozen:
            self.stop()
            return None if was_late or model is None else frozen_outcome(given)
        is_possible = any(one.fit.fits for one in self._judge.ranked())
        is_open = is_possible or (given.is_watched and not self._has_warned)
        goes_on = is_open and not is_over and self._steps < MAX_STEPS_LATER
        outcome = None
        if not was_late or (not self._has_warned and not is_possible and (has_looked or not goes_on)):
            outcome = late_outcome(model, given, self._judge, self._codes, self._trained, self._seen)
            self._has_warned = bool(outcome.warning) or outcome.reading is not None
            if was_late and goes_on and not self._has_warned:
                outcome = None
        is_reported = outcome is not None and (outcome.reading is not None or (outcome.warning and given.is_named))
        if not goes_on or is_reported:
            self.stop()
        return outcome

    def _of_levels(self, levels: OpenLevels, is_over: bool) -> Outcome | None:
        """Return the warning about latents that stay open, or None; the search ends where nothing is possible."""
        is_last = is_over or self._trained >= MAX_STEPS_LATER
        outcome = levels.late(self._trained, is_last)
        self._is_late = self._trained >= STEPS_FOR_OPEN
        if is_last or (self._is_late and not self._judge.ranked()):
            self.stop()
        return outcome
