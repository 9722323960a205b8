"""Separates the loss of information from a choice: what some dimensions lose, others take over.

While a model settles, dimensions rise, and some go to the prior again as the others take over what they carried. Later
dimensions may trade places. Neither is a loss: the total information falls by less than they lose together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...statistics.thresholds import Z
from .history import Flags, Ints
from .pace import scale_at
from .recent import Remembered

BREAK_OUT, BREAK_OUT_STEPS = 2.0, 100.0
"""Factor by which the total grows within so many steps where an encoder breaks."""
PEAK_STEPS = 100.0
"""Steps for which the total must have been high to be that of the model, in the mean: a jump is over sooner."""
MIN_NET_SHARE = 0.1
"""Share that the total must have lost since a fall began, or as many nats as a dimension is worth an alert for."""


def taken_over(recent: Sequence[Remembered], start: int, share: float, among: Flags | None = None) -> bool:
    """Return True if others took over what was lost since `start`: the total fell by less than a share of it.

    The comparison is with the three evaluations since then that had the highest total: with small batches it jumps.
    What is lost is what all dimensions surely lost that carry less now.
    """
    now, rows = recent[-1], _highest(recent, start)
    level, total = sum(one.level for one in rows) / len(rows), _mean_total(rows)
    change = level - now.level
    lost = float(np.add.reduce(change[change > Z * np.hypot(rows[0].error, now.error)]))
    net = total - now.total
    if among is not None:
        lost = float(np.add.reduce(change[among & (change > Z * np.hypot(rows[0].error, now.error))]))
        net = float(np.add.reduce(change[among]))
    return bool(lost <= 0 or net < share * lost)


def where_total_stays(recent: Sequence[Remembered], starts: Ints, where: Flags, worth: float) -> Flags:
    """Return which dimensions, of those asked for, fall while the total has lost next to nothing since `starts` (D,).

    A dip of an unsteady training is as large. The total before is that of the three evaluations up to the start, or a
    higher one since (`_lasting`). `worth` is that of a dimension with an alert of its own, in nats.
    """
    stays = np.zeros(where.shape, np.bool_)
    if len(recent) < 2:
        return stays
    for start in np.unique(starts[where]).tolist():
        before = [one.step for one in recent if one.step <= start][-3:]
        total = _mean_total(_lasting(recent, min(before, default=start)))
        if total - recent[-1].total < min(MIN_NET_SHARE * total, worth):
            stays |= where & (starts == start)
    return stays


def broke_out(recent: Sequence[Remembered], scale: float) -> bool:
    """Return True if the total has doubled within a few steps: noise in an encoder that breaks, and no choice."""
    now = recent[-1]
    newest = [one.total for one in recent if one.step >= now.step - scale * BREAK_OUT_STEPS]
    return now.total >= BREAK_OUT * min(newest)


def _highest(recent: Sequence[Remembered], start: int) -> Sequence[Remembered]:
    """Return the three evaluations since `start`, before the present one, that had the highest total."""
    since = [one for one in recent[:-1] if one.step >= start] or [recent[-2]]
    return max((since[max(k - 1, 0) : k + 2] for k in range(len(since))), key=_mean_total)


def _lasting(recent: Sequence[Remembered], start: int) -> Sequence[Remembered]:
    """Return the evaluations of `PEAK_STEPS` up to one since `start`, before the present one, with the highest total.

    They are three at least, or all that there are: with small batches, and where the data change, the total jumps.
    """
    before, reach = recent[:-1], PEAK_STEPS * scale_at(recent[-1].step)
    ends = [k for k, one in enumerate(before) if one.step >= start] or [len(before) - 1]
    first = {k: sum(one.step < before[k].step - reach for one in before[:k]) for k in ends}
    return max((before[max(min(first[k], k - 2), 0) : k + 1] for k in ends), key=_mean_total)


def _mean_total(rows: Sequence[Remembered]) -> float:
    return sum(one.total for one in rows) / len(rows)


def where_taken_over(
    recent: Sequence[Remembered], starts: Ints, where: Flags, share: float, among: Flags | None = None
) -> Flags:
    """Return which dimensions, of those asked for, are taken over; `starts` (D,) are the steps before their falls."""
    taken = np.zeros(where.shape, np.bool_)
    if len(recent) < 2:
        return taken
    for start in np.unique(starts[where]).tolist():
        if taken_over(recent, start, share, among):
            taken |= where & (starts == start)
    return taken
