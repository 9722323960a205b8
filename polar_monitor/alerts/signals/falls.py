"""Finds the dimensions whose information falls now.

A dimension falls if all of this holds. It has surely been worth something for some evaluations. It has surely lost a
share of its highest level, and more than it ever recovered from (`cusum`). It still falls, and it is forecast to be out
of use soon (`forecast`). A fall within one evaluation, a plunge, needs no second one to confirm it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...statistics.snapshot import Array, Snapshot
from ...statistics.thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, PASSIVE
from ..alert_rules import AlertRules
from .cusum import Cusum, drop_of
from .forecast import Outlook, outlook
from .history import Flags
from .recent import BETA, RATE, Remembered, interval


@dataclass(frozen=True, eq=False)
class Falls:
    """The dimensions that fall at this evaluation; arrays (D,)."""

    falling: Flags
    plunged: Flags
    """True where much was lost within this evaluation."""
    outlook: Outlook
    """The forecast of both."""


def find_falls(
    recent: Sequence[Remembered], cusum: Cusum, established: Flags, s: Snapshot, rules: AlertRules
) -> Falls | None:
    """Return the `established` dimensions that fall; None if there is none. `recent` ends with this evaluation."""
    if len(recent) < 2:
        return None
    before, now = recent[-2].level, recent[-1].level
    cut = INFORMATIVE if s.has_variance else INFORMATIVE_MEAN_ONLY
    sure = cusum.drop * now >= rules.significance * recent[-1].error
    due = established & sure & (now < before) & (now > PASSIVE)
    falls = due & (now > cut) & cusum.exceeds(rules.fall)
    plunges = due & cusum.exceeds(rules.plunge) & plunged(recent, rules)
    due = falls | plunges
    if not due.any():
        return None
    information, context = np.array([one.level for one in recent]), np.array([one.context for one in recent])
    ahead = outlook(information, interval(recent), due, cut, context[:, BETA], context[:, RATE])
    soon = ahead.ahead <= rules.horizon
    falls &= soon
    plunges &= soon
    plunges &= plunges.sum() >= min(2, established.sum())  # one alone may be trading places
    return Falls(falls, plunges, ahead)


def least_drop(rules: AlertRules) -> float:
    """Return the drop below which `find_falls` finds nothing."""
    return min(drop_of(rules.fall), drop_of(rules.plunge))


def plunged(recent: Sequence[Remembered], rules: AlertRules) -> Flags:
    """Return which dimensions surely lost much within the last evaluation (D,)."""
    if len(recent) < 2:
        return np.zeros(recent[-1].level.shape, np.bool_)
    before, now = recent[-2:]
    return np.asarray(is_plunge(before.level, now.level, np.hypot(before.error, now.error), rules), np.bool_)


def is_plunge(before: Array | float, now: Array | float, error: Array | float, rules: AlertRules) -> Any:
    """Return True where a level surely lost much; `error` is that of the difference."""
    return before - now >= np.maximum(rules.plunge * before, rules.significance * error)
