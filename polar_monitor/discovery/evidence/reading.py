"""A reading: the mean, the spread and its form, and the sample that they explain, with the evidence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import Literal, NamedTuple

from .forms import Form
from .noise import MAX_DEVIATION, MIN_SIGNAL, Fit
from .pieces import Slot
from .samples import SampleSlot

Way = Literal["", "dropout", "mask", "covariance"]
"""Things that are done to independent noise: numbers set to 0 (dropout raises the others), or correlated."""


class Calls(NamedTuple):
    """Places of the calls that a sample is drawn from in each forward of the model, counted from 0; None for all."""

    mean: frozenset[int] | None = None
    spread: frozenset[int] | None = None
    remark: str = ""
    """Words for the user if some calls are of no sample, and their places are not known."""

    @property
    def words(self) -> str:
        """Words for what is recorded; '' for all calls."""
        if self.mean is None:
            return ""
        which = ", ".join(str(place + 1) for place in sorted(self.mean))
        return f"; of the calls in a forward, number {which} is recorded: no sample of the others is drawn"


ALL_CALLS = Calls()
MIN_LEAD = 8.0
"""Log-likelihood by which a confirmed reading is ahead: 3,000 to 1."""
RARE = 6.0
"""Rarity from which on a form needs more evidence, as others that are not in the table come near it."""
RARE_SIGNAL, RARE_NUMBERS = 500.0, 1024
"""Evidence that it needs, in the units of `noise.MIN_SIGNAL`, and numbers of a sample."""
WAYS: dict[Way, str] = {
    "dropout": ", after dropout has set some of its numbers to 0 and raised the others",
    "mask": ", after some of its numbers were set to 0",
    "covariance": " of a covariance matrix",
}
"""Things that are done to the noise, in words."""
NAMED = 0.5
"""Support of the names with which `NAMED_SIGNAL` is enough."""
NAMED_SIGNAL = 36.0
"""Evidence that is enough then, in the units of `noise.MIN_SIGNAL`."""
CRITICS = {"critic", "critics", "discriminator", "disc", "qf", "qf1", "qf2", "q1", "q2", "value", "vf"}
"""Words of modules that judge a sample, but decode nothing."""


@dataclass(frozen=True)
class Reading:
    """One latent variable, read off the data."""

    mean: Slot
    spread: Slot
    form: Form
    sample: SampleSlot
    shape: tuple[int, ...]
    """Shape of the mean in the latest step."""
    fit: Fit
    lead: float
    """Log-likelihood by which it is ahead of the next reading."""
    order: int
    """Position of the sample in the step: the nearest to the decoder comes last."""
    takers: frozenset[str] = frozenset()
    """Modules that take the sample."""
    support: float = 0.0
    """Support of the names, from -1 to 1."""
    way: Way = ""
    """Key of `WAYS` if something else is done to the noise."""
    decodes: bool = False
    """True if a module that is called after the sample gives tensors of the data's size."""
    is_beside_inputs: bool = False
    """True if all that take the sample take the model's inputs beside it: it is an action."""
    calls: Calls = ALL_CALLS
    """Calls of the modules that are of the latent."""

    @property
    def is_confirmed(self) -> bool:
        """True if the residuals are noise, no other reading comes near, and a module takes the sample."""
        enough = self.fit.spread_signal >= RARE_SIGNAL and self.fit.numbers >= RARE_NUMBERS
        moved = self.has_moved and (self.form.rarity < RARE or enough)
        return self.fit.fits and moved and self.lead >= MIN_LEAD and self.is_taken

    @property
    def doubt(self) -> str:
        """The reason in words why the reading is not confirmed; '' if it is."""
        heads = f"{self.mean} and {self.spread}"
        if not self.fit.fits:
            few = self.fit.worst <= MAX_DEVIATION
            return f"{heads}: {'too few numbers so far' if few else 'what is left of the sample is not noise'}"
        if not self._has_taker:
            return f"{heads}: no module but a critic takes a sample of them; a policy or a regressor?"
        if self.is_beside_inputs:
            return f"{heads}: {self.action}"
        if not self.has_moved:
            return f"{heads}: the mean is too near 0, or σ too even, to say that they are mean and σ"
        return "" if self.is_confirmed else f"{heads}: another reading is nearly as likely"

    @property
    def action(self) -> str:
        """Words for a sample that goes with the model's inputs."""
        takers = sorted(self.takers, key=lambda name: (name.count("."), name))[:1]
        return (
            f"{' and '.join(map(repr, takers)) or 'the only module'} takes a sample of them beside all of the model's "
            "inputs, as a critic or a world model takes a policy's action; a decoder that has the data needs no latent"
        )

    @property
    def has_moved(self) -> bool:
        """True if mean and spread differ enough between inputs for a decision; less is enough if names agree."""
        return self.fit.has_moved(MIN_SIGNAL if self.support < NAMED else NAMED_SIGNAL)

    @property
    def may_hold(self) -> bool:
        """True if the residuals are noise so far, and nothing else explains the sample better."""
        return self.fit.worst <= MAX_DEVIATION and self.lead > 0

    @property
    def is_taken(self) -> bool:
        """True if a module takes the sample that is no critic, and not beside all of the data."""
        return self._has_taker and not self.is_beside_inputs

    @property
    def _has_taker(self) -> bool:
        return any(not CRITICS & set(re.split(r"[._]", name.lower())) for name in self.takers)

    @property
    def size(self) -> int:
        """Numbers of the mean."""
        return prod(self.shape)

    def overlaps(self, other: Reading) -> bool:
        """Return True if both read the same tensors, or parts of them."""
        return bool({self.mean[:2], self.spread[:2]} & {other.mean[:2], other.spread[:2]})

    @property
    def evidence(self) -> str:
        """The evidence in words."""
        spread = f"{self.fit.variance:.2f} ± {self.fit.error:.2f}"
        after = WAYS.get(self.way, "")
        noise = f"residual variance {spread} over {self.fit.numbers} numbers"
        return f"{self.sample} is mean + σ × noise{after}: {noise}{self.calls.words}"
