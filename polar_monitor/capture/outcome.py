"""Outcome of a search: what the confirmed readings mean for the latent that names or arguments gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from ..discovery.evidence.latents import agrees, best_of, latent_of, line_of, overlaps
from ..discovery.evidence.reading import Reading
from ..discovery.latent import Latent


class Outcome(NamedTuple):
    """Result of a search."""

    latent: Latent | None = None
    """The latent to watch from now on; None leaves the present one, or none."""
    why: str = ""
    """Text for `explain`; '' leaves the present one."""
    warning: str = ""
    reading: Reading | None = None
    """The reading that is watched, if the data confirm it."""
    others: tuple[Latent, ...] = ()
    """Other latents of the model."""


def outcome_of(model: nn.Module, confirmed: Sequence[Reading], given: Latent | None, is_named: bool) -> Outcome | None:
    """Return what the readings that the data confirm mean; None if they say nothing of the given latent.

    `is_named` is True if the user's arguments gave the latent: it stays, with a warning if another reading fits.
    """
    if not confirmed:
        return None
    taken, latent, why = best_of(confirmed), None, ""
    if given is not None:
        matching = next((reading for reading in confirmed if agrees(given, reading)), None)
        against = next((reading for reading in reversed(confirmed) if overlaps(given, reading)), None)
        if matching is None and against is None:
            return None
        if matching is None and against is not None and is_named:
            return Outcome(warning=_contradiction(given, against))
        taken = matching or against or taken
        why = f"{given.why}; confirmed: {taken.evidence}" if matching is not None else ""
    if not why:
        latent = latent_of(model, taken)
        why = latent.why
    others = tuple(reading for reading in confirmed if reading is not taken)
    why += "".join(f"; another latent: mean from {other.mean} ({other.evidence})" for other in others)
    return Outcome(latent, why, "", taken, tuple(latent_of(model, other) for other in others))


def _contradiction(given: Latent, reading: Reading) -> str:
    line = line_of(reading)
    remedy = f": write {line}" if line else ""
    return (
        f"the arguments of attach() do not fit the data ({given.why}); what fits is mean from {reading.mean} and "
        f"{reading.form.name} from {reading.spread} ({reading.evidence}){remedy}"
    )
