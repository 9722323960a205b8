"""Follows the comings and goings of one dimension as one story: lost, back again, and that it comes and goes.

After that there is no alert about it until it has been stable for three times the longest of its swings, or for
four times `AlertRules.stable_steps` if that is more: a cycle of any length is one story.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...statistics.snapshot import Array
from ..alert_rules import AlertRules
from .choosing import where_taken_over
from .history import DimensionHistory, Flags, Ints
from .pace import Pace
from .recent import Remembered
from .shared import NEVER, no_time, zeros
from .usage import COMES_AND_GOES, LOST, REVIVED, SILENCE, Usage

SWINGS = 3.0
"""Longest swings of a story for which a dimension, or the total, has to be stable before the story ends."""
STORY_STEPS = 4.0
"""The same in `AlertRules.stable_steps`, for a dimension that has been lost."""


def wait_of(swing: Any, rules: AlertRules) -> Any:
    """Return the steps without a fall after which a story with such a longest swing is over."""
    return np.maximum(rules.stable_steps, SWINGS * swing)


def wait_of_lost(swing: Any, rules: AlertRules) -> Any:
    """Return the same for a dimension that has been lost."""
    return np.maximum(STORY_STEPS * rules.stable_steps, SWINGS * swing)


@dataclass(frozen=True, eq=False)
class Story:
    """The dimensions that come or go at this evaluation (D,)."""

    lost: Flags
    """Lost for the first time in a story."""
    unsteady: Flags
    """Lost once more, after it came back."""
    revived: Flags
    settled: Flags
    """Out of use while others took over, and without a warning before: no loss."""


def follow_story(
    history: DimensionHistory, usage: Usage, recent: Sequence[Remembered], rules: AlertRules, pace: Pace
) -> tuple[Ints, Array, Array, Story | None]:
    """Return the story of each dimension, the steps since it came or went, its swing, and the news; None for none."""
    story, since_change, swing = history.story, history.since_change, history.swing
    if since_change is no_time(len(story)) and usage.lost is None and usage.revived is None:
        return story, since_change, swing, None
    no = np.zeros(len(story), np.bool_)
    gone, back = no if usage.lost is None else usage.lost, no if usage.revived is None else usage.revived
    known = (story != SILENCE) | (swing > 0)
    changed = history.used != usage.going
    since_change = np.where(known, since_change + pace.steps, 0.0)
    swing = np.where(changed & known, np.maximum(swing, since_change), swing)
    stable = np.where(changed, 0.0, since_change) >= wait_of_lost(swing, rules)
    since_change = np.where(changed, 0.0, since_change)
    story = np.where(stable & usage.going, SILENCE, story)
    story = np.where(stable & ~usage.going & (story == COMES_AND_GOES), LOST, story)
    settled = no
    if usage.lost is not None:
        settled = (
            gone
            & (story == SILENCE)
            & ~history.warned
            & where_taken_over(recent, history.healthy_step, gone, rules.taken_over)
        )
    lost, unsteady = gone & ~settled & (story == SILENCE), gone & (story == REVIVED)
    revived = back & (story == LOST)
    for where, place in ((lost, LOST), (revived, REVIVED), (unsteady, COMES_AND_GOES)):
        story = np.where(where, place, story)
    if not (story.any() or swing.any()):
        story, since_change, swing = zeros(len(story)), no_time(len(story)), no_time(len(story))
    news = bool((lost | unsteady | revived | settled).any())
    return np.asarray(story, np.int64), since_change, swing, Story(lost, unsteady, revived, settled) if news else None


def follow_fading(
    history: DimensionHistory, fading: Flags, step: int, rules: AlertRules, pace: Pace
) -> tuple[Ints, Array, Flags, Flags]:
    """Return the step of the newest FADING of each dimension, and its longest interval.

    And which of those that are `fading` now did so once before, and which more often: these raise no alert.
    """
    since = np.where(history.fading_step == NEVER, 0.0, (step - history.fading_step) / pace.scale)
    repeated = fading & (history.fading_step != NEVER)
    silent = repeated & (history.fading_swing > 0) & (since < wait_of(history.fading_swing, rules))
    swing = np.where(repeated, np.maximum(history.fading_swing, since), history.fading_swing)
    return np.where(fading, step, history.fading_step), swing, repeated & ~silent, silent
