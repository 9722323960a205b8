"""Schedule of ranks that evaluate together: the calls of the user in which they merge, as rank 0 decides."""

from __future__ import annotations


class SharedSchedule:
    """Number of calls until the ranks merge again, as rank 0 decides."""

    def __init__(self) -> None:
        self.calls = 0
        self.next = 1
        self.merges = 0
        self.ranks = 1
        """Ranks of the latest merge."""
        self.without_rows = 0
        """Ranks that had no rows in it."""
        self._step = 0
        """Step at the latest merge."""
        self._call = 0
        """Call of the latest merge."""

    def counts(self) -> bool:
        """Count a call. Returns True if the ranks merge in it."""
        self.calls += 1
        return self.calls >= self.next

    def plan(self, steps: int, interval: int) -> int:
        """Return the calls until the next merge, for a rank at so many `steps` that would wait `interval` of them."""
        passed, calls = max(steps - self._step, 1), max(self.calls - self._call, 1)
        return max(round(interval * calls / passed), 1)

    def agree(self, step: int, calls: int) -> None:
        """Take the plan of rank 0 after a merge."""
        self.merges += 1
        self._step, self._call, self.next = step, self.calls, self.calls + calls
