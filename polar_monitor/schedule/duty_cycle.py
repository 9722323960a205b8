"""Duty cycle of the hooks: which steps between two evaluations are recorded. The model carries no hook in the others.

The steps that give the wanted rows are spread over the interval, as bursts of a few steps: the first step after a pause
costs two to three times as much as the next, since nothing that it needs is in a cache. The interval is cut into parts,
and each has one burst. Widths and places follow low-discrepancy sequences, so that a training with a period of its own
is seen in all its phases, and no random number is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

PLACES = math.sqrt(5) / 2 - 0.5
"""Multiples of it, without their whole part, spread evenly: the places of the recorded steps in their parts."""
WIDTHS = math.sqrt(2) - 1
"""The same for the widths of the parts, which are whole steps."""
BURST = 4
"""Largest number of recorded steps in a row."""
BURSTS = 8
"""Number of bursts from which on they become longer."""
PATIENCE = 2
"""Intervals without rows that are no silence yet, after a pause: training may do something else for a while."""


class HookDutyCycle:
    """Plan of the recorded steps of one interval; `rows` is always the number of all rows recorded so far."""

    def __init__(self) -> None:
        self.until = 0
        """Step after which the hooks come back, or an evaluation without them is due; 0 while they record."""
        self.recent = 0
        """Intervals, the present one included, in which no rows are no surprise: there was a pause shortly before."""
        self.rows_per_step = 0
        """Rows to expect of a recorded step: the mean of the interval's steps and of one like those of the interval
        before or, if the latest step gave fewer, halfway between."""
        self.silent = True
        """True if the latest step with hooks gave no rows: the next one is recorded."""
        self._since = 0
        """Step at which the pause began."""
        self._before = 0
        """Paused steps of all earlier pauses."""
        self._wanted = 0
        """Rows to record in the interval."""
        self._rows_at_begin = 0
        self._rows_seen = 0
        """Rows up to the latest recorded step."""
        self._recorded = 0
        """Steps of the interval that gave rows."""
        self._prior = 0
        """Rows of a recorded step in the interval before."""
        self._burst = 0
        """Steps of the burst that are still to come."""
        self._edge = 0
        """Step at which the next part begins."""
        self._turn = 0
        """Number of parts so far, in all intervals."""
        self._held = False
        """True if somebody asked for new rows: all steps of the interval are recorded."""

    def steps(self, now: int) -> int:
        """Count the paused steps so far."""
        return self._before + (now - self._since if self.until else 0)

    def begin(self, now: int, rows: int, wanted: int) -> None:
        """Begin an interval that records so many rows."""
        self._edge, self._wanted, self._prior = now, wanted, self.rows_per_step
        self._rows_at_begin, self._rows_seen, self._recorded, self._burst = rows, rows, 0, 0
        self._held = False

    def age(self) -> None:
        """Note that an evaluation has ended the interval."""
        self.recent = PATIENCE if self.until else max(self.recent - 1, 0)

    def count(self, rows: int) -> bool:
        """Count a step in which the hooks were on. Returns True if the burst goes on."""
        new, self._rows_seen = rows - self._rows_seen, rows
        self.silent = new <= 0
        if self.silent:
            return True
        self._recorded += 1
        self._burst = max(self._burst - 1, 0)
        mean = (rows - self._rows_at_begin + self._prior) // (self._recorded + (self._prior > 0))
        self.rows_per_step = max((mean + min(new, mean)) // 2, 1)
        return self._burst > 0

    def pause(self, now: int, due: int) -> bool:
        """Return True if the hooks pause from `now` on, for a step or more; the interval ends at `due`."""
        if self.silent or self._held:
            return False
        until = self._next_burst(now, due)
        if until <= now:
            return False
        if not self.until:
            self._since = now
        self.until, self.recent = until, PATIENCE
        return True

    def _next_burst(self, now: int, due: int) -> int:
        """Return the step after which the next burst begins; `due` if there are rows enough."""
        left = math.ceil((self._wanted - (self._rows_seen - self._rows_at_begin)) / max(self.rows_per_step, 1))
        if left <= 0:
            return due
        parts = -(-left // min(BURST, max((self._recorded + left) // BURSTS, 1)))
        self._burst = steps = -(-left // parts)
        edge = self._edge
        width = int((due - edge) / parts + self._turn * WIDTHS % 1)
        if width <= steps:
            return now
        self._edge, self._turn = edge + width, self._turn + 1
        return min(edge + int(self._turn * PLACES % 1 * width), due - steps)

    def end(self, now: int) -> None:
        """End the pause: the hooks are back."""
        self._before += now - self._since
        self.until = 0

    def hold(self) -> None:
        """Begin no pause until the next evaluation."""
        self._held = True

    def state_dict(self) -> dict[str, int]:
        """Return the state as plain numbers."""
        return {key.removeprefix("_"): int(value) for key, value in vars(self).items()}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Restore what `state_dict` returned. Raises KeyError for a missing number."""
        for key in vars(self):
            setattr(self, key, state[key.removeprefix("_")])
