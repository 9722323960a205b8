"""Outcome of a search: what the data mean for the latent that names or arguments gave."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import nn

from ...discovery.evidence.codes import Code
from ...discovery.evidence.latents import (
    agrees,
    best_of,
    code_latent_of,
    is_code,
    latent_of,
    line_of,
    of_calls,
    overlaps,
)
from ...discovery.evidence.reading import Reading
from ...discovery.evidence.seen import Seen
from ...discovery.latent import Latent
from .given_values import GivenValues


@dataclass(frozen=True)
class Given:
    """Facts that are known before a search."""

    latent: Latent | None
    """The latent that names or arguments gave."""
    question: str = ""
    """Question that the names leave open."""
    is_named: bool = False
    """True if the user's arguments gave the latent: it is never replaced."""
    wants_all: bool = False
    """True if all latents of a hierarchical model are wanted."""
    is_read: bool = False
    """True if functions of the user read the latent: what they give is compared, not the names of modules."""

    @property
    def is_watched(self) -> bool:
        """True if the latent is watched from the start. A code that names alone suggest waits for the data."""
        return self.latent is not None and (self.is_named or self.latent.kind is not None)

    @property
    def asked(self) -> str:
        """Question for the data, in words."""
        if self.latent is None:
            return self.question
        return f"{self.latent.why}; does a decoder take exactly this code?"


class HeldGiven:
    """The same facts without a hold on the modules of the latent: a search lives as long as the model's monitor."""

    def __init__(self, given: Given) -> None:
        self._modules = [weakref.ref(part.module) for part in (given.latent.parts if given.latent is not None else ())]
        self.facts = _with_modules(given, [_GONE for _ in self._modules])
        """The facts; in place of the latent's modules is one that does nothing."""

    def now(self) -> Given:
        """Return the facts with those modules that exist."""
        modules = (reference() for reference in self._modules)
        return _with_modules(self.facts, [_GONE if module is None else module for module in modules])


_GONE = nn.Identity()


def _with_modules(given: Given, modules: Sequence[nn.Module]) -> Given:
    if given.latent is None:
        return given
    parts = tuple(replace(part, module=module) for part, module in zip(given.latent.parts, modules, strict=True))
    return replace(given, latent=replace(given.latent, parts=parts))


class Outcome(NamedTuple):
    """Result of a search."""

    latent: Latent | None = None
    """The latent to watch from now on; None leaves the present one, or none."""
    why: str = ""
    """Text for `explain`; '' leaves the present one."""
    warning: str = ""
    reading: Reading | None = None
    """The reading that is watched, if the data confirm it, or else one whose sample is looked at next."""
    asked: str = ""
    """Beginning of a warning that waits for what those looks say, if nothing is watched."""
    others: tuple[Latent, ...] = ()
    """Other latents of the model."""
    decoder: str = ""
    """Name of the module that decodes a code; '' if none is known."""
    data_variance: float = 0.0
    """Variance of a number of the data over the inputs; 0 if it is not known."""
    is_none: bool = False
    """True if the latent that the names gave is none: nothing is watched any more."""


def outcome_of(
    model: nn.Module,
    confirmed: Sequence[Reading],
    given: Given,
    is_last: bool = False,
    seen: Sequence[Seen] = (),
) -> Outcome | None:
    """Return what confirmed readings mean; None if they say nothing of the given latent, unless this is the last look.

    A latent that the user's arguments gave stays, with a warning if another reading fits. `seen` are the tensors of the
    latest step, with what the user's functions gave.
    """
    if not confirmed:
        return None
    taken, latent, why = best_of(confirmed), None, ""
    if given.latent is not None and given.is_read:
        return _of_functions(given.latent, confirmed, is_last, seen)
    if given.latent is not None and given.is_watched:
        matching = next((reading for reading in confirmed if agrees(given.latent, reading)), None)
        against = next((reading for reading in reversed(confirmed) if overlaps(given.latent, reading)), None)
        if matching is None and against is None and not is_last:
            return None
        if matching is None and given.is_named:
            values = GivenValues(given.latent, seen, is_read=False)
            matching = next((reading for reading in confirmed if values.agree(reading)), None)
        if matching is None and given.is_named:
            return Outcome(warning=_contradiction(given.latent, against or taken))
        taken = matching or against or taken
        why = f"{given.latent.why}; confirmed: {taken.evidence}" if matching is not None else ""
        if matching is not None and matching.calls.mean is not None:
            latent = replace(of_calls(given.latent, matching.calls), why=why)
    if not why:
        latent = latent_of(model, taken)
        why = latent.why
    others = tuple(reading for reading in confirmed if reading is not taken)
    latents = tuple(latent_of(model, other) for other in others)
    return Outcome(latent, why + beside(others), taken.calls.remark, taken, others=latents)


def beside(others: Sequence[Reading]) -> str:
    """Return words for latents beside the first one."""
    return "".join(f"; another latent: mean from {other.mean} ({other.evidence})" for other in others)


def _of_functions(latent: Latent, confirmed: Sequence[Reading], is_last: bool, seen: Sequence[Seen]) -> Outcome | None:
    """Return what confirmed readings mean for a latent that functions of the user read."""
    values = GivenValues(latent, seen)
    matching = next((reading for reading in confirmed if values.agree(reading)), None)
    if matching is not None:
        why, calls = f"{latent.why}; confirmed: {matching.evidence}", matching.calls
        taken = None if calls.mean is None else replace(of_calls(latent, calls), why=why)
        return Outcome(taken, why, calls.remark, matching)
    against = next((reading for reading in reversed(confirmed) if values.have_size_of(reading)), None)
    if against is None or not is_last or values.fit_a_sample():
        return None
    return Outcome(warning=_contradiction(latent, against))


def code_outcome(model: nn.Module, code: Code, given: Given) -> Outcome | None:
    """Return what a code without a sample means; None if no name supports it, or it is another one than the given."""
    if given.latent is not None:
        if not is_code(given.latent, code):
            return None
        latent = None if given.is_watched else given.latent
        is_other = given.latent.parts[0].name in code.others and given.latent.parts[0].name != code.mean.module
        before = "a module takes exactly it, as narrow as the code before the decoder: " if is_other else ""
        why = f"{given.latent.why}; confirmed: {before}{code.evidence}"
        return Outcome(latent, why, decoder="" if is_other else code.decoder, data_variance=code.data_variance)
    if not code.is_confirmed:
        return None
    latent = code_latent_of(model, code)
    return Outcome(latent, latent.why, decoder=code.decoder, data_variance=code.data_variance)


def _contradiction(given: Latent, reading: Reading) -> str:
    return (
        f"the arguments of attach() do not fit the data ({given.why}); what fits is mean from {reading.mean} and "
        f"{reading.form.name} from {reading.spread} ({reading.evidence}): write {line_of(reading)}"
    )
