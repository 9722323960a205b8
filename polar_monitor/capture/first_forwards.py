"""Search of the latent in the first forwards of a training, by what the data show.

It looks at one training step after the other, until a reading is confirmed. A latent that the names gave is confirmed, or
replaced by the reading that fits.
"""

from __future__ import annotations

import weakref

from torch import nn

from .._torch_compat import runs_compiled_parts
from ..discovery.evidence.judge import Judge
from ..discovery.evidence.latents import line_of, name_hint
from ..discovery.latent import Latent
from .look import Blocks, Look
from .outcome import Outcome, outcome_of

MAX_STEPS = 50
"""Training steps in which a latent must be found if the names do not give it."""
MAX_STEPS_TO_CONFIRM = 10
"""Training steps in which a latent that the names gave may be confirmed."""
STEPS_FOR_ALL = 3
"""Looked steps after which readings that are not confirmed yet are not waited for."""
MAX_SECONDS = 0.5
"""Time that the search may take in all if the names gave a latent."""
MAX_CANDIDATES = 5
"""Candidates that the warning lists."""


class FirstForwards:
    """Search for the latent of a model; `given` is the one that names or arguments gave."""

    def __init__(self, model: nn.Module, given: Latent | None, question: str, named: bool) -> None:
        self._model = weakref.ref(model)
        self._look, self._judge = Look(model), Judge(name_hint)
        self._given, self._question, self._named = given, question, named
        """`named` is True if the user's arguments gave the latent: it is never replaced."""
        self._blocks: Blocks | None = None
        self._steps = self._looked = 0
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
        if self._blocks is None:
            self._blocks = self._look.end_step()
        if self._blocks is None or not self._blocks.ready():
            return self._late()
        seen, self._blocks = self._blocks.take(), None
        self._look.end_step()  # what came while copies were under way
        self._judge.add(seen)
        self._looked += 1
        outcome = self._decide()
        if outcome is None:
            self._set(self._judge.modules())
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
        if not confirmed or model is None:
            return None
        unsettled = any(reading.fit.fits and not reading.is_confirmed for reading in self._judge.ranked())
        if self._given is None and self._looked < STEPS_FOR_ALL and unsettled:
            return None
        return outcome_of(model, confirmed, self._given, self._named)

    def _late(self) -> Outcome | None:
        """Return the outcome of a search that has lasted too long."""
        given = self._given
        if self._steps < (MAX_STEPS if given is None else MAX_STEPS_TO_CONFIRM):
            return None
        self.stop()
        if given is not None:
            return Outcome(why=f"{given.why}; not confirmed: no module was seen that takes a sample of it")
        return Outcome(warning=self._give_up())

    def _give_up(self) -> str:
        if self._is_frozen:
            return f"the model is compiled, which hides the tensors that would show its latent. {self._question}"
        ranked = self._judge.ranked()
        if not ranked:
            what = "no module takes a sample mean + σ × noise of other modules' outputs"
            return f"the first {self._steps} steps did not show a latent: {what}. {self._question}"
        lines = []
        for reading in ranked[:MAX_CANDIDATES]:
            line = line_of(reading) or f"mean from {reading.mean}, {reading.form.name} from {reading.spread}"
            lines.append(f"    {line}   # {reading.evidence}")
        more = f"\n    … and {len(ranked) - MAX_CANDIDATES} more" if len(ranked) > MAX_CANDIDATES else ""
        listed = "\n".join(lines)
        return f"the first {self._steps} steps left several readings of the latent. Use one of:\n{listed}{more}"
