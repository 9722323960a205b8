"""Follows the comings and goings of one dimension as one story: lost, back again, and that it comes and goes.

After that there is no alert about it until it has been stable for `AlertRules.stable_steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...statistics.snapshot import Array
from ..alert_rules import AlertRules
from .choosing import where_taken_over
from .history import DimensionHistory, Flags, Ints
from .pace import Pace
from .recent import Remembered
from .shared import no_time, zeros
from .usage import COMES_AND_GOES, LOST, REVIVED, SILENCE, Usage


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
) -> tuple[Ints, Array, Story | None]:
    """Return the story of each dimension, the steps since it came or went, and the news; None for none."""
    story, since_change = history.story, history.since_change
    if story is zeros(len(story)) and usage.lost is None and usage.revived is None:
        return story, since_change, None
    no = np.zeros(len(story), np.bool_)
    gone, back = no if usage.lost is None else usage.lost, no if usage.revived is None else usage.revived
    changed = history.used != usage.going
    since_change = np.where(changed, 0.0, since_change + pace.steps)
    stable = since_change >= rules.stable_steps
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
    if not story.any():
        story, since_change = zeros(len(story)), no_time(len(story))
    news = bool((lost | unsteady | revived | settled).any())
    return np.asarray(story, np.int64), since_change, Story(lost, unsteady, revived, settled) if news else None
