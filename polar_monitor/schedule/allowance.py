"""Start allowance: seconds that the monitor may take beyond its share of the loop's time, in all.

It is an account. What the share pays comes in, what the monitor takes goes out, and the balance never exceeds the
allowance. So over any stretch of a run the monitor takes at most its share and the allowance.
"""

from __future__ import annotations

import math

SPREAD_SECONDS = 10.0
"""Time over which the balance is spent, or the time so far if that is less: the beginning may be seen closely, looks
become rare smoothly, and no blind stretch follows them."""


class Allowance:
    """Account of the seconds that may be taken beyond the share of the loop's time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = self.balance = seconds

    def account(self, income: float, spent: float, most: float = math.inf) -> bool:
        """Account for an interval: `income` is what the share pays. Returns True if that and the balance pay all.

        A debt that is larger than `most` counts as `most`.
        """
        self.balance = max(self.after(income, spent), -most)
        return self.balance >= 0

    def after(self, income: float, spent: float) -> float:
        """Return the balance after an interval."""
        return min(self.balance + income, self.seconds) - spent

    def rate(self, cost: float, elapsed: float) -> float:
        """Return the share of the loop's time that may be taken from the balance, beyond one evaluation of `cost`."""
        return max(self.balance - cost, 0.0) / min(max(elapsed, 1e-9), SPREAD_SECONDS)

    @property
    def used(self) -> float:
        """Seconds that are spent and that the share has not paid back yet."""
        return min(max(self.seconds - self.balance, 0.0), self.seconds)

    def state(self) -> int:
        """Return the balance in whole milliseconds, as part of a state."""
        return max(int(1000 * self.balance), 0)

    def resume(self, milliseconds: int) -> None:
        """Continue with the balance of a state: what is spent is not given again."""
        self.balance = min(milliseconds / 1000, self.seconds)
