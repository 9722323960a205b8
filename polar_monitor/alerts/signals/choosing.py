"""Separates the loss of information from a choice: what one dimension loses, others take over.

While a model settles, dimensions rise, and some go to the prior again as the others take over what they carried. Later
dimensions may trade places. Neither is a loss: the total information of all dimensions does not fall with them.
"""

from __future__ import annotations

import numpy as np

from ...statistics.snapshot import Array
from ...statistics.thresholds import Z
from .history import Flags
from .recent import Remembered


def falls_alone(highest_total: Array | float, now: Remembered, lost: Array | float, share: float) -> Flags:
    """Return where others take over what is `lost`, in nats: the total has not fallen by a `share` of it.

    `highest_total` is the highest total information since the fall began. A fall of the total within its own error is
    none.
    """
    error = Z * float(np.sqrt(np.add.reduce(now.error * now.error)))
    return np.asarray(~(np.asarray(highest_total) - now.total >= np.maximum(share * np.asarray(lost), error)))
