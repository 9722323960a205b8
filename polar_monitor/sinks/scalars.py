"""Which dimensions to draw where all are too many."""

from __future__ import annotations

import numpy as np

from ..statistics.snapshot import Array


def extremes(information: Array, most: int) -> tuple[int, ...]:
    """All dimensions, or of more than `most` the halves with the highest and the lowest information, in order."""
    if len(information) <= most:
        return tuple(range(len(information)))
    order = np.argsort(np.nan_to_num(information, nan=-np.inf), kind="stable")
    return tuple(sorted([*order[: most // 2].tolist(), *order[len(order) - most // 2 :].tolist()]))
