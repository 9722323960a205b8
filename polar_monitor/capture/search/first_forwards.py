"""Search of the latent in the first forwards of a training, by what the data show.

It looks at one training step after the other until a reading is confirmed. A latent that the names gave is confirmed,
or replaced by the reading that fits.
"""

from __future__ import annotations

import weakref

from torch import nn

from ..._torch_compat import runs_compiled_parts
from ...discovery.evidence.codes import CodeJudge
from ...discovery.evidence.judge import Judge
from ...discovery.evidence.latents import agrees, line_of, name_hint
from ...discovery.evidence.noise import MAX_DEVIATION
from .look import Blocks, Look
from .outcome import Given, Outcome, code_outcome, outcome_of

MAX_STEPS = 50
"""Training steps in which a latent must be found if the names do not give it."""
MAX_STEPS_TO_CONFIRM = 20
"""Training steps in which a latent that the names gave may be confirmed."""
STEPS_FOR_OTHERS, STEPS_FOR_ALL = 4, 30
"""Looked steps after which readings that are not confirmed yet are not waited for; for one latent, and for all."""
MAX_CANDIDATES = 5
"""Candidates that the warning lists."""


class FirstForwards:
    """Search for the latent of a model in its training."""

    def __init__(self, model: nn.Module, given: Given) -> None:
        self._model = weakref.ref(model)
        self._look, self._judge, self._codes = Look(model), Judge(name_hint), CodeJudge()
        self._given = given
        self._blocks: Blocks | None = None
        self._steps = self._looked = 0
        self._pause = 0
        """Steps that need not be looked at."""
        self._look.start()
        self._is_frozen = False
        """True if the model was compiled with the hooks: to take them off would compile it again."""
        self.ended = False

    @property
    def seconds(self) -> float:
        """Time spent in the hooks since the last call."""
        nanoseconds, self._look.nanoseconds = self._look.nanoseconds, 0
        return nanoseconds * 1e-9

    def stop(self) -> None:
        """End the search and take all hooks off."""
        self.ended = True
        self._set(None)

    def pause(self) -> None:
        """Take the hooks off until the next step."""
        self._set(None)

    def step(self) -> Outcome | None:
        """Judge what the latest step has shown. Returns the outcome once the search has ended."""
        if self.ended:
            return None
        self._steps += 1
        if self._pause:
            self._pause -= 1
            if not self._pause:
                self._set(self._judge.modules())
            return self._late()
        if self._blocks is None:
            self._blocks = self._look.end_step()
        if self._blocks is None or not self._blocks.ready():
            if not self._look.is_on:
                self._set(self._judge.modules())
            return self._late()
        seen, self._blocks = self._blocks.take(), None
        self._look.end_step()  # what came while copies were under way
        if not self._judge.modules():
            self._codes.add(seen)
        self._judge.add(seen)
        self._looked += 1
        outcome = self._decide()
        if outcome is None:
            self._pause = self._judge.pause
            self._set(None if self._pause else self._judge.modules())
            return self._late()
        self.stop()
        return outcome

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
        code = self._codes.best()
        if code is not None and not self._judge.modules():
            return code_outcome(model, code, self._given)
        unsettled = any(
            reading.fit.worst <= MAX_DEVIATION and not reading.is_confirmed for reading in self._judge.ranked()
        )
        patience = STEPS_FOR_ALL if self._given.wants_all else 0 if self._given.is_watched else STEPS_FOR_OTHERS
        if unsettled and self._looked < patience:
            return None
        return outcome_of(model, confirmed, self._given)

    def _late(self) -> Outcome | None:
        """Return the outcome of a search that has lasted too long."""
        given = self._given
        if self._steps < (MAX_STEPS_TO_CONFIRM if given.is_watched else MAX_STEPS):
            return None
        self.stop()
        if given.latent is not None and (given.is_watched or self._is_frozen):
            return self._unconfirmed(given)
        return Outcome(warning=self._give_up())

    def _unconfirmed(self, given: Given) -> Outcome:
        """Return the outcome for a latent that the names or the user gave, and the data did not confirm."""
        latent = given.latent
        why = "" if latent is None else f"{latent.why}; not confirmed: no module was seen that takes a sample of it"
        model = self._model()
        if self._is_frozen or latent is None or model is None:
            return Outcome(None if given.is_watched else latent, why)
        possible = any(
            agrees(latent, reading) and reading.fit.worst <= MAX_DEVIATION for reading in self._judge.ranked()
        )
        if not possible and (outcome := outcome_of(model, self._judge.confirmed(), given, is_last=True)) is not None:
            return outcome
        if given.is_named:
            return Outcome(why=why)
        untaken = [reading for reading in own if reading.fit.fits and not reading.is_taken]
        if untaken and not self._codes.gives_back:
            line = line_of(untaken[0])
            doubt = f"{untaken[0].doubt} {self._codes.reason}".strip()
            return Outcome(
                warning=f"nothing is watched any more: {doubt}. If it is a latent, write {line}", is_none=True
            )
        if self._codes.steps and not self._codes.gives_back:
            return Outcome(
                why=why,
                warning=f"{latent.why}; but no module takes a sample of it, and {self._codes.reason} If this is an "
                "encoder alone, all is well; a policy or a regressor has no latent",
            )
        return Outcome(why=why)

    def _give_up(self) -> str:
        if self._is_frozen:
            return (
                "the model is compiled, which hides the tensors that would show its latent: pass example=batch to "
                f"attach(). {self._given.question}"
            )
        ranked = self._judge.ranked()
        reasons = [reading.doubt for reading in ranked if reading.doubt][:MAX_CANDIDATES]
        reasons = reasons or [*self._judge.remarks[:MAX_CANDIDATES], self._codes.reason]
        text = f"the first {self._steps} steps did not show a latent: {'; '.join(reasons)}"
        fitting = [reading for reading in ranked if reading.fit.fits][:MAX_CANDIDATES]
        lines = [f"    {line}   # {reading.evidence}" for reading in fitting if (line := line_of(reading))]
        if lines:
            return "\n".join([f"{text}. If one of these is the latent, write its line:", *lines])
        return f"{text}. {self._given.question}"
