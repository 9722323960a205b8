"""Latents that are not confirmed yet when the first ones of a hierarchical model are: the search goes on for them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ...discovery.evidence.judge import Judge
from ...discovery.evidence.latents import latent_of, line_of
from ...discovery.evidence.reading import Reading
from .outcome import Outcome, beside

STEPS_FOR_OPEN = 100
"""Training steps after which latents that are possible, but not certain, are one warning."""
LOOKS_FOR_ZERO = 16
"""Looks between searches for further samples: σ of a head that starts at 0 is the same everywhere at first."""
ALL = 'latents="all"'


class OpenLevels:
    """The rest of a search, of which some latents are confirmed."""

    def __init__(self, judge: Judge, first: Outcome, confirmed: Sequence[Reading]) -> None:
        self._judge, self._why = judge, first.why
        self._looks = 0
        self._has_warned = False
        judge.settle(confirmed)

    @property
    def why(self) -> str:
        """Text for `explain`: what is watched, and what may be a latent too."""
        return self._why + "".join(f"; not confirmed so far: {one.doubt}" for one in open_readings(self._judge))

    def add(self, model: nn.Module, confirmed: Sequence[Reading]) -> Outcome | None:
        """Take the readings that another look has confirmed, and return what they mean; None if there are none."""
        self._looks += 1
        if confirmed:
            self._why += beside(confirmed)
        if confirmed or self._looks % LOOKS_FOR_ZERO == 0:
            self._judge.settle(confirmed)
        if not confirmed:
            return None
        remark = "; ".join(one.calls.remark for one in confirmed if one.calls.remark)
        return Outcome(why=self.why, warning=remark, others=tuple(latent_of(model, one) for one in confirmed))

    def late(self, steps: int, is_last: bool) -> Outcome | None:
        """Return the one warning after so many steps, if there is something to say."""
        if self._has_warned or not (is_last or steps >= STEPS_FOR_OPEN):
            return None
        text = warning_of(open_readings(self._judge), self._judge.remarks, f"after {steps} steps", not is_last)
        self._has_warned = bool(text)
        return Outcome(why=self.why, warning=text) if text else None


def open_readings(judge: Judge) -> list[Reading]:
    """Return the best readings that are possible, but not confirmed, one for each latent."""
    best: list[Reading] = []
    for one in judge.ranked():
        is_open = one.fit.fits and one.lead > 0 and one.is_taken and not one.is_confirmed
        if is_open and not any(one.overlaps(other) for other in best):
            best.append(one)
    return best


def warning_of(readings: Sequence[Reading], remarks: Sequence[str], when: str, goes_on: bool) -> str:
    """Return the warning about latents that are possible, with a line for each; '' if there is nothing to say."""
    if not (readings or remarks):
        return ""
    lines = [
        f'    {line_of(one)[:-1]}, name="{one.mean.module or "output"}")   # {one.doubt}; {one.evidence}'
        for one in readings
    ]
    text = f"{ALL}: not every latent is watched {when}"
    if remarks:
        text = f"{text}: {'; '.join(remarks)}, with a name= of its own"
    if not lines:
        return text
    waits = "A monitor takes it as soon as it is certain. " if goes_on else ""
    one = "This is possible, but not certain" if len(lines) == 1 else "These are possible, but not certain"
    return "\n".join([f"{text}. {one}. {waits}To watch it now, write its line:", *lines])
