"""Groups what happens to dimensions into events: those that follow soon join the alert that began the event.

An event begins with an alert. A dimension to which the same happens within `EVENT_STEPS` belongs to it: the alert is
raised once more with all dimensions, and `Alert.amends` says which one it replaces.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

import numpy as np

from ..advice import named
from ..signals.history import Flags

EVENT_STEPS = 100.0
"""Steps after the first alert of an event within which other dimensions follow."""


class Event(TypedDict):
    """The newest event of one kind."""

    step: int | None
    """Step of the alert that began it; None before the first one."""
    newest_step: int | None
    """Step of the alert that listed its dimensions last."""
    last_healthy_step: int | None
    """The last step before the first of its dimensions began to fall."""
    dimensions: list[int]


def no_event() -> Event:
    """Return the state before the first event."""
    return Event(step=None, newest_step=None, last_healthy_step=None, dimensions=[])


def joined(event: Event, where: Flags, step: int) -> tuple[Event, list[int]] | None:
    """Return the event of some dimensions (D,), and those of them that are new to it; None if none is.

    The event is the one before if it began within `EVENT_STEPS`, else one that begins now.
    """
    which = np.flatnonzero(where).tolist()
    begun = event["step"]
    if begun is None or not 0 <= step - begun <= EVENT_STEPS:
        new = Event(step=step, newest_step=step, last_healthy_step=None, dimensions=which)
        return (new, which) if which else None
    known = set(event["dimensions"])
    followed = [j for j in which if j not in known]
    if not followed:
        return None
    return {**event, "newest_step": step, "dimensions": sorted([*known, *followed])}, followed


def begins(event: Event, new: list[int]) -> bool:
    """Return True if all dimensions of an event are new to it."""
    return len(new) == len(event["dimensions"])


def followers(event: Event, new: list[int], others: list[int]) -> str:
    """Return which dimensions joined an event that began before; nothing for one that begins.

    `others` of the event are in another state by now: the rest of the message is not about them.
    """
    if begins(event, new):
        return ""
    return f"; {named(new)} followed what began at step {event['step']:,}{f' with {named(others)}' if others else ''}"


def healthy_of_all(steps: Iterable[int | None]) -> int | None:
    """Return the last step at which all dimensions of an event were healthy: before the first of them fell."""
    return min((step for step in steps if step is not None), default=None)
