"""When an evaluation is drawn: pictures and histograms take longer than all else that a sink writes."""

from __future__ import annotations

DRAW_EVERY = 32
"""Evaluations after which strip and histograms of TensorBoard are drawn again, at the next full one."""


class DrawingSchedule:
    """Counts the evaluations of one latent in one mode, and says which of them are drawn.

    Example:
        >>> schedule = DrawingSchedule()
        >>> [step for step in range(1, 32) if schedule.due(full=True, changed=False)]
        [1, 3, 7, 15, 31]
    """

    def __init__(self, every: int = DRAW_EVERY) -> None:
        self._every = every
        self._evaluations, self._next = 0, 1

    def due(self, full: bool, changed: bool) -> bool:
        """Count an evaluation, and return True if it is drawn: with a changed verdict, and after `every` others.

        At first after fewer, so that a short run has drawings that are not older than half of it. Only a full
        evaluation is drawn.
        """
        self._evaluations += 1
        if not full or not (changed or self._evaluations >= self._next):
            return False
        self._next = self._evaluations + min(self._evaluations + 1, self._every)
        return True

    def repeat(self) -> None:
        """Draw the next full evaluation: the drawing before was not written."""
        self._next = 0
