"""Follows the dimensions over the evaluations: which of them fade, are lost, or are in use again.

Most evaluations are quiet: no dimension comes or goes, and none drops. A step that only a drop or another label can
change is skipped then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...context import NOTHING, Context
from ...regime.regime import Regime
from ...statistics.snapshot import Array, Snapshot
from ...statistics.thresholds import Z
from ..advice import Cause
from ..alert_rules import AlertRules
from .attribution import causes_of_falls
from .cusum import MAX_RECOVERED_DROP, MIN_RECOVERED_SHARE, NAMES, Cusum, recovers
from .falls import Falls, cut_of, find_falls, least_drop
from .history import DimensionHistory, Flags, Ints
from .pace import Pace
from .recent import Remembered, context_before, keep, remember
from .shared import NEVER, no_time, nowhere, same_context, zeros
from .story import Story, follow_fading, follow_story
from .usage import COMES_AND_GOES, SILENCE, usage_of

MAX_HEALTHY_DROP = 0.05
"""A smaller drop of the logarithm is no trouble yet."""


@dataclass(frozen=True, eq=False)
class DimensionChanges:
    """The dimensions about which there is an alert at this evaluation (D,)."""

    story: Story | None
    """Those that went, or came back; None if there is none."""
    fading: Flags | None
    """Those that fade; None if there is none."""
    once_more: Flags | None
    """Those among them that faded before, and recovered."""
    falls: Falls | None
    """The dimensions that fall, with their forecast."""
    healthy_step: Ints
    """The last step before each began to fall; `NEVER` for none. `history` forgets it for those that are lost."""


def follow(
    history: DimensionHistory, s: Snapshot, regime: Regime, rules: AlertRules, pace: Pace, context: Context = NOTHING
) -> tuple[DimensionHistory, DimensionChanges | None]:
    """Return the history after one evaluation, and the changes if there are any."""
    now, moments, all_known = remember(s, context, pace.windows, history.recent[-1] if history.recent else None)
    recent = keep(history.recent, now)
    usage = usage_of(history, s, regime, rules)
    going = usage.going
    cusum, counts, was_used, largest_drop = _advance(history, now, going, rules, pace)

    falls, falling_streak, established = None, no_time(s.dimensions), going
    if not largest_drop < least_drop(rules):
        established = going & (counts[2] >= rules.established_steps)
        falls = find_falls(recent, cusum, established, history.healthy_step, s, rules, pace)
    if falls is not None:
        counts[1, falls.falling | falls.plunged] = 0.0
    warned = history.warned
    if warned is not nowhere(s.dimensions):
        warned = warned & going & ~recovers(cusum.drop, history.cusum.deepest_drop)
        counts[1, warned & (now.level <= cut_of(s))] = (
            0.0  # what is nearly gone has not stopped falling: its story lasts
        )
        cusum, warned = _settle(warned, cusum, counts[1], rules)

    healthy = None if largest_drop <= MAX_HEALTHY_DROP else cusum.unreported_drop <= MAX_HEALTHY_DROP
    if not all_known:  # of what is not known nobody can say that it is healthy
        known = np.isfinite(s.information) | ~going
        healthy = known if healthy is None else healthy & known
    contexts, steps, cause = same_context(s.dimensions, context_before(recent)), None, history.cause
    if healthy is not None:
        moments, contexts, steps = _last_healthy(history, healthy, going, moments, contexts, s.step)
    if cause is not zeros(s.dimensions):
        cause = np.where(going if healthy is None else healthy & going, Cause.UNKNOWN, cause)
        cause = cause if cause.any() else zeros(s.dimensions)
    story, since_change, swing, news = follow_story(history, usage, recent, rules, pace)
    fading = None
    if falls is not None:
        others = (story == COMES_AND_GOES) | ((story != SILENCE) & (since_change < rules.stable_steps))
        falls = falls.without_choices(recent, history.healthy_step, established, others, rules, pace.scale)
        falling_streak = np.where(falls.falling, history.falling_streak + pace.windows, 0.0)
        fading = _some(((falling_streak >= rules.patience_windows) | falls.plunged) & ~warned)
    fading_step, fading_swing, once_more, silent = history.fading_step, history.fading_swing, None, None
    if fading is not None:
        fading_step, fading_swing, once_more, known = follow_fading(history, fading, s.step, rules, pace)
        fading, silent = _some(fading & ~known), _some(known)
    if silent is not None:
        warned = warned | silent
    gone = nowhere(s.dimensions) if news is None else news.lost | news.unsteady
    due = (gone if fading is None else gone | fading) & (cause == Cause.UNKNOWN)
    if due.any():
        before = replace(history, recent=recent, cusum=cusum, was_used=was_used, healthy_steps=history.healthy_step)
        plunges = nowhere(s.dimensions) if falls is None else falls.plunged
        cause = np.where(due, causes_of_falls(before, s, plunges, context.weight_decay), cause)
    if fading is not None:
        warned = warned | fading
    new = DimensionHistory(
        recent, cusum, moments, contexts, cause, counts, was_used, falling_streak, warned, steps, going, story,
        since_change, swing, fading_step, fading_swing,
    )  # fmt: skip
    if news is None and fading is None:
        return new, None
    healthy_step = np.where(going, new.healthy_step, history.healthy_step)
    return new, DimensionChanges(news, fading, once_more, falls, healthy_step)


def _advance(
    history: DimensionHistory, now: Remembered, going: Flags, rules: AlertRules, pace: Pace
) -> tuple[Cusum, Array, Flags, float]:
    """Return the drops, the counts as if nothing fell, the dimensions that were used, and the largest drop."""
    from ...kernels.judging import follow as kernels

    before = history.recent[-1] if history.recent else now
    allowance = rules.allowance * pace.growth
    limits = (
        Z, float(rules.worth), float(allowance), 1 - MIN_RECOVERED_SHARE, MAX_RECOVERED_DROP, pace.steps,
        float(rules.established_steps),
    )  # fmt: skip
    numbers, was_used = np.empty((len(NAMES) + len(history.counts), len(going))), np.empty_like(history.was_used)
    drops, counts = numbers[: len(NAMES)], numbers[len(NAMES) :]
    largest_drop = kernels.follow(
        now.levels, now.log_level, before.log_level, going, history.cusum.drops, history.counts, history.was_used,
        limits, drops, counts, was_used,
    )  # fmt: skip
    return Cusum(drops), counts, was_used, largest_drop


def _settle(warned: Flags, cusum: Cusum, stable_streak: Array, rules: AlertRules) -> tuple[Cusum, Flags]:
    """Return the drops and the warned dimensions without those that stopped falling.

    The next fall of a dimension that stopped begins at its present level.
    """
    stopped = warned & (stable_streak >= rules.stable_steps)
    warned = warned & ~stopped
    return cusum.rebase(stopped), warned if warned.any() else nowhere(len(warned))


def _last_healthy(
    history: DimensionHistory, healthy: Flags, going: Flags, moments: Array, contexts: Array, step: int
) -> tuple[Array, Array, Ints]:
    """Return the moments, the contexts and the step at which each dimension was healthy last, if some are not now."""
    before = history.healthy_step
    steps = np.where(healthy | (before == NEVER), step, before)
    return (
        np.where(healthy, moments, history.healthy_moments),
        np.where(healthy[:, None], contexts, history.healthy_context),
        np.where(going, steps, NEVER),
    )


def _some(flags: Flags) -> Flags | None:
    return flags if flags.any() else None
