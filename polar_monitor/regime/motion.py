"""The rule for a dimension that moves: its label is about now and the time to the next evaluation, its rows are older.

From one evaluation to the next a dimension moves if its information differs by more than `Z_MOVES` standard errors. It
is no stationary one, so its label is that of this evaluation alone, and is not held. If it would cross the cut of its
label, at the rate of these two evaluations, by half an interval after this one, it is *undecided*: one that passes from
active to passive is neither for some time, and what the window says of it is not true any more when it is read.

The rows of a window are as old as the middle of the steps at which they were recorded. A stationary dimension moves by
error in 1 of 16,000 evaluations. A mixed one has no single cut, and keeps its label.
"""

from __future__ import annotations

from ..statistics.snapshot import Snapshot

Z_MOVES = 4.0
"""Standard errors of a change that is no error."""
INTERVALS_AHEAD = 0.5
"""Intervals of the evaluations after the present one for which its label should be true."""
MAX_AHEAD = 2.0
"""Largest multiple of the way between two windows for which a dimension is taken to go on at its rate."""


def ahead_of(now: Snapshot, before: Snapshot | None) -> float:
    """Return how far ahead of the window the label is, in multiples of the way from the window before; 0 if unknown."""
    if before is None or min(now.rows_from, before.rows_from) < 0 or now.dimensions != before.dimensions:
        return 0.0
    middle = 0.5 * (now.rows_from + now.rows_to)
    way = middle - 0.5 * (before.rows_from + before.rows_to)
    if way <= 0:
        return 0.0
    due = now.step + INTERVALS_AHEAD * (now.step - before.step)
    return min(max((due - middle) / way, 0.0), MAX_AHEAD)
