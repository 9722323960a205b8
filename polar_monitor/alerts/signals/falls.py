"""Finds the dimensions whose information falls now.

A dimension falls if all of this holds. It has surely been worth something for some time. It has surely lost a share of
its highest level, and more than it ever recovered from (`cusum`). It still falls, and it is forecast to be out of use
soon (`forecast`). A fall within one evaluation, a plunge, needs no second one to confirm it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...statistics.snapshot import Array, Snapshot
from ...statistics.thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, PASSIVE
from ..alert_rules import AlertRules
from .choosing import broke_out, where_taken_over, where_total_stays
from .cusum import Cusum, drop_of, log_level
from .forecast import MIN_RATE, Outlook, outlook
from .history import Flags, Ints
from .pace import Pace, scale_at
from .recent import BETA, RATE, Remembered, earlier
from .trend import rates, spans

RISE_ERRORS = 1.0
"""Standard errors by which a level that falls may rise from one evaluation to the next: a slow fall is within them."""
PLUNGE_STEPS, MAX_PLUNGE = 40.0, 0.5
"""Steps in which a plunge takes its share, and the largest share of a longer interval."""
MIN_BROKEN_SHARE = 0.8
"""Share of what the established dimensions carried, in those that plunge, from which an encoder breaks."""
MIN_INTERVALS_AHEAD = 2.0
"""Intervals of the evaluations that the horizon has at least: the fall of two evaluations may end in the third."""


@dataclass(frozen=True, eq=False)
class Falls:
    """The dimensions that fall at this evaluation; arrays (D,)."""

    falling: Flags
    plunged: Flags
    """True where much was lost within this evaluation."""
    outlook: Outlook
    """The forecast of both."""

    def without_choices(
        self,
        recent: Sequence[Remembered],
        starts: Ints,
        established: Flags,
        others: Flags,
        rules: AlertRules,
        scale: float,
    ) -> Falls:
        """Return the falls without those that are taken over, those that the total does not feel, and the `others`.

        If the encoder `breaks`, those that come up do not take over what the `established` ones lose: it is noise.
        """
        chosen = where_taken_over(recent, starts, self.falling | self.plunged, rules.taken_over)
        chosen |= where_total_stays(recent, starts, self.falling | self.plunged, rules.worth)
        sudden = self.plunged & chosen
        if sudden.any() and breaks(recent, established, rules, scale) and fell_in_all(recent, established, rules):
            chosen &= ~sudden | where_taken_over(recent, starts, sudden, rules.taken_over, established)
        return replace(self, falling=self.falling & ~chosen & ~others, plunged=self.plunged & ~chosen & ~others)


def find_falls(
    recent: Sequence[Remembered],
    cusum: Cusum,
    established: Flags,
    starts: Ints,
    s: Snapshot,
    rules: AlertRules,
    pace: Pace,
) -> Falls | None:
    """Return the `established` dimensions that fall; None if there is none.

    `recent` ends with this evaluation. `starts` (D,) are the last steps at which nothing had fallen.
    """
    if len(recent) < 2:
        return None
    before, now = earlier(recent).level, recent[-1].level
    noise = RISE_ERRORS * np.hypot(earlier(recent).error, recent[-1].error)
    cut = cut_of(s)
    sure = cusum.drop * now >= rules.significance * recent[-1].error
    due = established & sure & (now < before + noise) & (now > PASSIVE)
    falls = due & (now > cut) & cusum.exceeds(rules.fall)
    plunges = due & cusum.exceeds(rules.plunge) & plunged(recent, rules)
    due = falls | plunges
    if not due.any():
        return None
    information, context = np.array([one.level for one in recent]), np.array([one.context for one in recent])
    steps = np.array([one.step for one in recent], np.float64)
    windows, errors = np.array([one.windows for one in recent]), np.array([one.error for one in recent])
    ahead = outlook(information, errors, steps, windows, pace, due, starts, cut, context[:, BETA], context[:, RATE])
    soonest = ahead.ahead if ahead.soonest is None else ahead.soonest
    soon = soonest <= max(rules.horizon_steps * pace.scale, MIN_INTERVALS_AHEAD * pace.interval)
    falls &= soon
    plunges &= soon
    plunges &= plunges.sum() >= min(2, established.sum())  # one alone may be trading places
    return Falls(falls, plunges, ahead)


def cut_of(s: Snapshot) -> float:
    """Return the nats below which a dimension is out of use, as forecasts have it."""
    return INFORMATIVE if s.has_variance else INFORMATIVE_MEAN_ONLY


def least_drop(rules: AlertRules) -> float:
    """Return the drop below which `find_falls` finds nothing."""
    return min(drop_of(rules.fall), drop_of(rules.plunge))


def plunged(recent: Sequence[Remembered], rules: AlertRules) -> Flags:
    """Return which dimensions surely lost much since the last evaluation with other rows (D,)."""
    if len(recent) < 2:
        return np.zeros(recent[-1].level.shape, np.bool_)
    before, now = earlier(recent), recent[-1]
    share = plunge_share(recent, rules)
    return np.asarray(is_plunge(before.level, now.level, np.hypot(before.error, now.error), share, rules), np.bool_)


def still_falls(recent: Sequence[Remembered], where: Flags, pace: Pace) -> bool:
    """Return True if the total of some dimensions falls, by its trend."""
    total = np.array([[np.add.reduce(one.level[where])] for one in recent])
    steps, windows = (np.array([getattr(one, name) for one in recent], np.float64) for name in ("step", "windows"))
    rate, _ = rates(log_level(total), steps, spans(steps, windows, pace.scale))
    return bool(rate[0] * pace.scale > MIN_RATE)


def fell_in_all(recent: Sequence[Remembered], among: Flags, rules: AlertRules) -> bool:
    """Return True if the total of some dimensions surely lost much since the last evaluation with other rows."""
    before, now = earlier(recent), recent[-1]
    level_before, level = float(np.add.reduce(before.level[among])), float(np.add.reduce(now.level[among]))
    error = math.sqrt(float(np.add.reduce(before.error[among] ** 2 + now.error[among] ** 2)))
    return bool(is_plunge(level_before, level, error, plunge_share(recent, rules), rules))


def breaks(recent: Sequence[Remembered], among: Flags, rules: AlertRules, scale: float) -> bool:
    """Return True if an encoder breaks: the total breaks out, or nearly all of some dimensions plunges, and it too.

    A model that chooses gives up a few of its dimensions at a time, and its total stays.
    """
    if broke_out(recent, scale):
        return True
    if recent[-1].total > (1.0 - rules.plunge) * earlier(recent).total:
        return False
    before, plunges = earlier(recent).level, among & plunged(recent, rules)
    in_all = float(np.add.reduce(before[among]))
    return bool(plunges.sum() >= 2 and np.add.reduce(before[plunges]) >= MIN_BROKEN_SHARE * in_all)


def plunge_share(recent: Sequence[Remembered], rules: AlertRules) -> float:
    """Return the share that a level must lose between the two evaluations: more if they are far apart, at most half."""
    passed = (recent[-1].step - earlier(recent).step) / scale_at(recent[-1].step)
    share = -math.expm1(-drop_of(rules.plunge) * max(passed / PLUNGE_STEPS, 1.0))
    return max(rules.plunge, min(share, MAX_PLUNGE))


def is_plunge(before: Array | float, now: Array | float, error: Array | float, share: float, rules: AlertRules) -> Any:
    """Return True where a level surely lost much; `error` is that of the difference."""
    return before - now >= np.maximum(share * before, rules.significance * error)
