"""Counts and drops of every dimension after one more evaluation, as `alerts/signals/follow.py` explains them."""

from .._jit import kernel


@kernel(
    "float64(float64[:, ::1], float64[::1], float64[::1], boolean[::1], float64[:, ::1], float64[:, ::1], boolean[::1],"
    " UniTuple(float64, 7), float64[:, ::1], float64[:, ::1], boolean[::1])"
)
def follow(levels, log_now, log_before, going, drops, counts, was_used, limits, new_drops, new_counts, new_used):
    """Write the new drops (4, D), counts of steps (4, D) and used ones (D,); return the largest drop.

    levels (2, D): the information and its error; log_now and log_before (D,): its logarithm now and before; going (D,):
    the dimensions in use. A count ends where a dimension is not in use; a drop where it is worth no alert. limits end
    with the steps that have passed, and those that establish a dimension.
    """
    z, worth, allowance, recovered_share, max_recovered, steps, established = limits
    largest = 0.0
    for j in range(going.shape[0]):
        if not going[j]:
            new_counts[:, j], new_drops[:, j], new_used[j] = 0.0, 0.0, was_used[j]
            continue
        above = steps if levels[0, j] - z * levels[1, j] >= worth else 0.0
        new_counts[0, j], new_counts[1, j] = counts[0, j] + steps, counts[1, j] + steps
        new_counts[2, j], new_counts[3, j] = counts[2, j] + above, counts[3, j] + above
        new_used[j] = was_used[j] or new_counts[3, j] >= established
        if new_counts[2, j] == 0.0:
            new_drops[:, j] = 0.0
            continue
        drop = max(drops[0, j] - (log_now[j] - log_before[j]) - allowance, 0.0)
        deepest, recovered = max(drops[1, j], drop), drops[2, j]
        if drop <= recovered_share * deepest:
            recovered, deepest = max(recovered, min(deepest, max_recovered)), drop
        new_drops[0, j], new_drops[1, j] = drop, deepest
        new_drops[2, j], new_drops[3, j] = recovered, min(drops[3, j], drop)
        largest = max(largest, drop)
    return largest
