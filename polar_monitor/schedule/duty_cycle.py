"""Rest: for the steps whose rows the window would have forgotten by the next evaluation, the model carries no hook."""

from __future__ import annotations

import math
from collections.abc import Mapping

MARGIN = 1.25
"""Waking time, in units of what fills the window at the rate of rows seen last."""


class HookDutyCycle:
    """When to rest, from the rows that came while it was awake the last time."""

    def __init__(self) -> None:
        self.until = 0
        """Step at which the hooks come back; 0 while they are on."""
        self.recent = False
        """There was rest since the last evaluation."""
        self._since = 0
        self._before = 0
        self._woke = 0
        self._rows = 0

    def steps(self, now: int) -> int:
        """Steps at rest so far."""
        return self._before + (now - self._since if self.until else 0)

    def begin(self, now: int, due: int, rows: int, window: int) -> bool:
        """After an evaluation: whether to rest now, until shortly before the next, which is due at step `due`.

        `rows` have been recorded in all. Where the last waking time has not filled the window (batches have become
        smaller, or training does something else at times) there is none until the evaluation after.
        """
        awake, fresh = now - self._woke, rows - self._rows
        short, self.recent = self.recent and fresh < window, False
        if short:
            self._woke, self._rows = now, rows
        if short or awake < 1 or fresh < 1:
            return False
        until = due - math.ceil(MARGIN * window * awake / fresh) - 1
        if until <= now + 1:
            return False
        self.until, self._since = until, now
        return True

    def end(self, now: int, rows: int) -> None:
        """The hooks are back."""
        self._before += now - self._since
        self.until, self.recent, self._woke, self._rows = 0, True, now, rows

    def state_dict(self) -> dict[str, int]:
        """Plain numbers."""
        return {key: int(value) for key, value in vars(self).items()}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """The inverse. Raises KeyError for a missing number."""
        for key in vars(self):
            setattr(self, key, state[key])
