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
from .cusum import ALLOWANCE, MAX_RECOVERED_DROP, MIN_RECOVERED_SHARE, Cusum, drop_of
from .falls import Falls, find_falls, least_drop
from .history import NEVER, DimensionHistory, Flags, Ints
from .recent import MAX_HISTORY, Remembered, context_before, remember
from .shared import nowhere, same_context, zeros
from .usage import usage_of

MAX_HEALTHY_DROP = 0.05
"""A smaller drop of the logarithm is no trouble yet."""
MIN_STABLE_EVALUATIONS = 20
"""Evaluations without a fall after which one is over."""


@dataclass(frozen=True, eq=False)
class DimensionChanges:
    """The dimensions about which there is an alert at this evaluation (D,)."""

    revived: Flags | None
    lost: Flags | None
    fading: Flags | None
    """None where there is none."""
    falls: Falls | None
    """The dimensions that fall, with their forecast."""
    healthy_step: Ints
    """The last step before each began to fall; `NEVER` for none. `history` forgets it for those that are lost."""


def follow(
    history: DimensionHistory, s: Snapshot, regime: Regime, rules: AlertRules, context: Context = NOTHING
) -> tuple[DimensionHistory, DimensionChanges | None]:
    """Return the history after one evaluation, and the changes if there are any.

    A new history begins if the number of dimensions changed.
    """
    if history.dimensions != s.dimensions:
        history = DimensionHistory.empty(s.dimensions)
    now, moments = remember(s, context)
    recent = (*history.recent, now)[-MAX_HISTORY:]
    usage = usage_of(history, s, regime, rules)
    going = usage.going
    cusum, counts, was_used, largest_drop = _advance(history, now, going, rules)

    falls, falling_streak = None, zeros(s.dimensions)
    if not largest_drop < least_drop(rules):
        falls = find_falls(recent, cusum, going & (counts[2] >= rules.established), s, rules)
    if falls is not None:
        falling_streak = np.where(falls.falling, history.falling_streak + 1, 0)
        counts[1, falls.falling | falls.plunged] = 0
    warned = history.warned
    if warned is not nowhere(s.dimensions):
        cusum, warned = _settle(warned & going, cusum, counts[1], rules)

    healthy = None if largest_drop <= MAX_HEALTHY_DROP else (cusum.unreported_drop <= MAX_HEALTHY_DROP) | ~going
    contexts, steps, cause = same_context(s.dimensions, context_before(recent)), None, history.cause
    if healthy is not None:
        moments, contexts, steps = _last_healthy(history, healthy, going, moments, contexts, s.step)
    if cause is not zeros(s.dimensions):
        cause = np.where(going if healthy is None else healthy & going, Cause.UNKNOWN, cause)
        cause = cause if cause.any() else zeros(s.dimensions)
    fading = None
    if falls is not None:
        fading = _some(((falling_streak >= rules.patience) | falls.plunged) & ~warned)
    if falls is not None and fading is not None:
        before = replace(history, recent=recent, cusum=cusum, was_used=was_used)
        causes = causes_of_falls(before, s, falls.plunged)
        cause, warned = np.where(fading & (cause == Cause.UNKNOWN), causes, cause), warned | fading
    new = DimensionHistory(
        recent, cusum, moments, contexts, cause, counts, was_used, falling_streak, warned, steps, going
    )
    if usage.revived is None and usage.lost is None and fading is None:
        return new, None
    healthy_step = np.where(going, new.healthy_step, history.healthy_step)
    return new, DimensionChanges(usage.revived, usage.lost, fading, falls, healthy_step)


def _advance(
    history: DimensionHistory, now: Remembered, going: Flags, rules: AlertRules
) -> tuple[Cusum, Ints, Flags, float]:
    """Return the drops, the counts as if nothing fell, the dimensions that were used, and the largest drop."""
    from ...kernels.judging import follow as kernels

    before = history.recent[-1] if history.recent else now
    limits = Z, float(rules.worth), ALLOWANCE, 1 - MIN_RECOVERED_SHARE, MAX_RECOVERED_DROP
    drops, counts = np.empty_like(history.cusum.drops), np.empty_like(history.counts)
    was_used = np.empty_like(history.was_used)
    largest_drop = kernels.follow(
        now.levels, now.log_level, before.log_level, going, history.cusum.drops, history.counts, history.was_used,
        limits, int(rules.established), drops, counts, was_used,
    )  # fmt: skip
    return Cusum(drops), counts, was_used, largest_drop


def _settle(warned: Flags, cusum: Cusum, stable_streak: Ints, rules: AlertRules) -> tuple[Cusum, Flags]:
    """Return the drops and the warned dimensions without those that stopped falling, or recovered.

    The next fall of a dimension that stopped begins at its present level.
    """
    stopped = warned & (stable_streak >= MIN_STABLE_EVALUATIONS)
    recovered = (cusum.drop <= 0.5 * drop_of(rules.fall)) & (stable_streak >= rules.patience)
    warned = warned & ~stopped & ~recovered
    return cusum.rebase(stopped), warned if warned.any() else nowhere(len(warned))


def _last_healthy(
    history: DimensionHistory, healthy: Flags, going: Flags, moments: Array, contexts: Array, step: int
) -> tuple[Array, Array, Ints]:
    """Return the moments, the contexts and the step at which each dimension was healthy last, if some are not now."""
    steps = np.where(healthy | (history.healthy_step == NEVER), step, history.healthy_step)
    return (
        np.where(healthy, moments, history.healthy_moments),
        np.where(healthy[:, None], contexts, history.healthy_context),
        np.where(going, steps, NEVER),
    )


def _some(flags: Flags) -> Flags | None:
    return flags if flags.any() else None
