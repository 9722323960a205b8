"""Duty cycle of the hooks: the model carries none for the steps whose rows the window would forget anyway."""

from __future__ import annotations

import math
from collections.abc import Mapping

RECORDING_MARGIN = 1.25
"""Recording time before an evaluation, as a multiple of what fills the window at the latest rate of rows."""


class HookDutyCycle:
    """Plan of the pauses of the hooks, from the rows that came while they recorded the last time."""

    def __init__(self) -> None:
        self.until = 0
        """Step at which the hooks come back; 0 while they record."""
        self.recent = False
        """True if there was a pause since the last evaluation."""
        self._since = 0
        """Step at which the pause began."""
        self._before = 0
        """Paused steps of all earlier pauses."""
        self._woke = 0
        """Step at which the hooks came back."""
        self._rows = 0
        """Rows recorded up to then."""

    def steps(self, now: int) -> int:
        """Count the paused steps so far."""
        return self._before + (now - self._since if self.until else 0)

    def begin(self, now: int, due: int, rows: int, window: int) -> bool:
        """Return True if a pause begins now, after an evaluation. It ends shortly before the next one, at step `due`.

        `rows` counts all recorded rows. There is no pause until the evaluation after next if the last recording time
        did not fill the window: batches became smaller, or training sometimes does something else.
        """
        recorded, fresh = now - self._woke, rows - self._rows
        short, self.recent = self.recent and fresh < window, False
        if short:
            self._woke, self._rows = now, rows
        if short or recorded < 1 or fresh < 1:
            return False
        until = due - math.ceil(RECORDING_MARGIN * window * recorded / fresh) - 1
        if until <= now + 1:
            return False
        self.until, self._since = until, now
        return True

    def end(self, now: int, rows: int) -> None:
        """End the pause: the hooks are back."""
        self._before += now - self._since
        self.until, self.recent, self._woke, self._rows = 0, True, now, rows

    def state_dict(self) -> dict[str, int]:
        """Return the state as plain numbers."""
        return {key.removeprefix("_"): int(value) for key, value in vars(self).items()}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Restore what `state_dict` returned. Raises KeyError for a missing number."""
        for key in vars(self):
            setattr(self, key, state[key.removeprefix("_")])
