"""Does the information of some dimension differ from one evaluation to the next? `schedule/quiet.py` has the limits."""

import math

from .._jit import kernel


@kernel("boolean(float64[:], float64[:], float64[:], float64[:], UniTuple(float64, 3))")
def differs(before, before_error, now, now_error, limits):
    """Return True if a dimension differs by more than errors and limits; all (D,), and NaN differs from nothing.

    limits: standard errors of the difference, share of the larger information, nats.
    """
    errors, share, nats = limits
    for j in range(now.shape[0]):
        least = max(share * max(before[j], now[j]), nats)
        if abs(now[j] - before[j]) > max(errors * math.hypot(before_error[j], now_error[j]), least):
            return True
    return False
