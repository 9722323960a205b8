"""Follows the dimensions over the evaluations: which of them fade, are lost, or are in use again.

A dimension fades if all of this holds. It has surely been worth something for some evaluations. It has surely lost a
share of its highest level, and more than it ever recovered from (`cusum`). It still falls, and it is forecast to be out
of use soon (`forecast`). A fall within one evaluation needs no second one to confirm it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...regime.label import INFORMATIVE_LABELS, Label
from ...regime.regime import Regime
from ...statistics.snapshot import Array, Snapshot
from ...statistics.thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, PASSIVE, Z
from ..advice import Cause
from ..alert_rules import AlertRules
from .attribution import causes_of_falls
from .forecast import Outlook, outlook
from .history import BETA, NEVER, RATE, DimensionHistory, Flags, Ints

MAX_HEALTHY_DROP = 0.05
"""A smaller drop of the logarithm is no trouble yet."""
MIN_STABLE_EVALUATIONS = 20
"""Evaluations without a fall after which one is over."""


@dataclass(frozen=True, eq=False)
class DimensionChanges:
    """The dimensions about which there is an alert at this evaluation; arrays (D,)."""

    revived: Flags
    lost: Flags
    fading: Flags
    plunged: Flags
    """True where much was lost within this evaluation."""
    outlook: Outlook
    """The forecast of those that fall."""
    healthy_step: Ints
    """The last step before each began to fall; `NEVER` for none. `history` forgets it for those that are lost."""


def follow(
    history: DimensionHistory, s: Snapshot, regime: Regime, rules: AlertRules
) -> tuple[DimensionHistory, DimensionChanges]:
    """Return the history after one evaluation, which it already remembers, and the changes."""
    now, error = history.information[-1], history.errors[-1]
    informative, passive = (_labelled(regime.labels, *labels) for labels in (INFORMATIVE_LABELS, (Label.PASSIVE,)))
    passive_now = _labelled(regime.latest, Label.PASSIVE)
    used, was_established = history.in_use > 0, history.above_worth >= rules.established
    gone = used & (passive | (passive_now & is_surely_passive(s) & was_established))
    revived = informative & ~passive_now & ~used & history.was_used
    going = ((informative & ~passive_now) | used) & ~gone
    lost = gone & was_established

    above = now - Z * error >= rules.worth
    above_worth, above_worth_incl_warmup = (
        np.where(going, count + above, 0) for count in (history.above_worth, history.above_worth_incl_warmup)
    )
    established = going & (above_worth >= rules.established)
    was_used = history.was_used | (going & (above_worth_incl_warmup >= rules.established))
    history = replace(history, cusum=history.cusum.keep(above_worth > 0), was_used=was_used)
    sure = history.cusum.drop * now >= rules.significance * error
    still = now < history.information[-2:][0]
    cut = INFORMATIVE if s.has_variance else INFORMATIVE_MEAN_ONLY
    due = established & sure & still & (now > PASSIVE)
    ahead = outlook(history.information, history.interval, due, cut, history.context[:, BETA], history.context[:, RATE])
    due &= ahead.ahead <= rules.horizon
    falls = due & (now > cut) & history.cusum.exceeds(rules.fall)
    plunges = due & history.cusum.exceeds(rules.plunge) & plunged(history.information, history.errors, rules)
    plunges &= plunges.sum() >= min(2, established.sum())  # one alone may be trading places

    stable_streak = np.where(going & ~falls & ~plunges, history.stable_streak + 1, 0)
    stopped = history.warned & (stable_streak >= MIN_STABLE_EVALUATIONS)  # the next fall begins at the level of now
    history = replace(history, cusum=history.cusum.rebase(stopped), warned=history.warned & ~stopped)
    healthy = (history.cusum.drop - history.cusum.baseline_drop <= MAX_HEALTHY_DROP) | ~going
    recovered = (history.cusum.drop <= -0.5 * np.log1p(-rules.fall)) & (stable_streak >= rules.patience)
    steps = np.where(healthy | (history.healthy_step == NEVER), s.step, history.healthy_step)
    new = replace(
        history,
        in_use=np.where(going, history.in_use + 1, 0),
        above_worth=above_worth,
        above_worth_incl_warmup=above_worth_incl_warmup,
        falling_streak=np.where(falls, history.falling_streak + 1, 0),
        stable_streak=stable_streak,
        warned=history.warned & going & ~recovered,
        healthy_step=np.where(going, steps, NEVER),
        healthy_variance=np.where(healthy, s.variance, history.healthy_variance),
        healthy_noise=np.where(healthy, s.posterior_variance, history.healthy_noise),
        healthy_context=np.where(healthy[:, None], history.context_before, history.healthy_context),
        cause=np.where(healthy & going, Cause.UNKNOWN, history.cause),
    )
    fading = ((new.falling_streak >= rules.patience) | plunges) & ~new.warned
    if fading.any():
        causes = causes_of_falls(history, s, plunges)
        cause = np.where(fading & (new.cause == Cause.UNKNOWN), causes, new.cause)
        new = replace(new, warned=new.warned | fading, cause=cause)
    healthy_step = np.where(going, new.healthy_step, history.healthy_step)
    return new, DimensionChanges(revived, lost, fading, plunges, ahead, healthy_step)


def is_surely_passive(s: Snapshot) -> Flags:
    """Return where this evaluation alone leaves no doubt: by the upper bound of the information, or its certificate."""
    return np.asarray(
        np.fmin(s.information + Z * s.information_se, s.information_upper + Z * s.information_upper_se) <= PASSIVE
    )


def plunged(levels: Array, errors: Array, rules: AlertRules) -> Flags:
    """Return which of the series (h, D) surely lost much within the last evaluation."""
    if len(levels) < 2:
        return np.zeros(levels.shape[1], np.bool_)
    error = np.hypot(errors[-2], errors[-1])
    return np.asarray(levels[-2] - levels[-1] >= np.maximum(rules.plunge * levels[-2], rules.significance * error))


def _labelled(labels: tuple[Label, ...], *wanted: Label) -> Flags:
    return np.array([label in wanted for label in labels], np.bool_)
